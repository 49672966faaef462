/** What staff may ask of logs and trail, and what they see. */
import * as z from "zod";
import { pageOf, pageQuery } from "#core/page";
import { type Output, shape } from "#core/shape";
import { auditCategories, severities } from "#core/tables";
import { logCategories, readCategory } from "./rules.ts";

const id = shape(() => z.string().min(1).max(100));
const instant = shape(() =>
  z.iso
    .datetime({ offset: true })
    .or(z.iso.date())
    .transform((text) => Date.parse(text))
    .meta({ example: "2026-01-31T00:00:00Z" }),
);
const members = shape(() => z.record(z.string(), z.unknown()));

const between = () => ({
  from: instant().optional().meta({ description: "From this time on." }),
  to: instant().optional().meta({ description: "Before this time." }),
});

export const logQuery = shape(() =>
  pageQuery().extend({
    level: z.enum(["debug", "info", "warn", "error"]).optional().meta({ description: "Kept are warn and error." }),
    category: z
      .string()
      .max(40)
      .transform((given, context) => {
        const category = readCategory(given);
        if (category === undefined) context.addIssue(`one of ${logCategories.join(", ")}`);
        return category;
      })
      .optional()
      .meta({ example: "conversion" }),
    event: id().optional(),
    userId: id().optional(),
    workspaceId: id().optional(),
    conversionId: id().optional(),
    jobId: id().optional(),
    requestId: id().optional(),
    text: z.string().min(1).max(100).optional().meta({ description: "Part of the message; at most 48 bytes." }),
    ...between(),
  }),
);
export type LogQuery = Output<typeof logQuery>;

export const logShape = shape(() =>
  z
    .object({
      id: z.string(),
      level: z.enum(["warn", "error"]),
      category: z.string(),
      event: z.string(),
      message: z.string(),
      userId: z.string().nullable(),
      workspaceId: z.string().nullable(),
      conversionId: z.string().nullable(),
      jobId: z.string().nullable(),
      requestId: z.string().nullable(),
      details: members(),
      at: z.string(),
    })
    .meta({ id: "SystemLog" }),
);
export const logPage = pageOf(logShape, "SystemLogPage");

export const securityLogQuery = shape(() =>
  pageQuery().extend({
    event_type: id().optional().meta({ description: "An action, or its name in older systems such as login_failed." }),
    severity: z.enum(severities).optional(),
    category: z.enum(auditCategories).optional(),
    userId: id().optional().meta({ description: "Who did it or whom it was done to." }),
    requestId: id().optional(),
    ...between(),
  }),
);
export type SecurityLogQuery = Output<typeof securityLogQuery>;

const entryMembers = () => ({
  id: z.string(),
  action: z.string(),
  category: z.enum(auditCategories),
  severity: z.enum(severities),
  actorKind: z.string(),
  actorId: z.string().nullable(),
  target: z.string().nullable(),
  details: members(),
  before: members().nullable().meta({ description: "The members that changed, as they were." }),
  after: members().nullable().meta({ description: "The members that changed, as they are." }),
  repeats: z.number().int().meta({ description: "How often it happened; above 1 for failures only." }),
  requestId: z.string(),
  address: z.string().nullable(),
  createdAt: z.string(),
});

export const securityLogShape = shape(() =>
  z
    .object({ ...entryMembers(), eventType: z.string(), workspaceId: z.string().nullable() })
    .meta({ id: "SecurityLog" }),
);
export const securityLogPage = pageOf(securityLogShape, "SecurityLogPage");
