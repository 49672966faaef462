/** What clients see of usage. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";
import { reportTypes, resourceNames } from "./rules.ts";

const standing = shape(() =>
  z
    .object({
      resource: z.enum(resourceNames),
      resourceType: z.enum(resourceNames).meta({ description: "The same, as an older client names it." }),
      unit: z.string(),
      used: z.number(),
      current: z.number().meta({ description: "The same as `used`, as an older client names it." }),
      reserved: z.number().meta({ description: "Promised to work that runs." }),
      limit: z.number().nullable().meta({ description: "null: none." }),
      granted: z.number().meta({ description: "On top of the limit; kept until it is used." }),
      available: z.number().nullable(),
      percentUsed: z.number().nullable(),
      exceeded: z.boolean(),
      resetsAt: z.string().nullable(),
    })
    .meta({ id: "ResourceUsage" }),
);

export const resourceUsageShape = standing;
export type ResourceUsage = Output<typeof standing>;

function perResource<Value extends z.ZodType>(value: () => Value) {
  const members = resourceNames.map((name) => [name, value()]);
  return z.object(Object.fromEntries(members) as Record<(typeof resourceNames)[number], Value>);
}

export const usageShape = shape(() =>
  z
    .object({
      workspaceId: z.string(),
      plan: z.string(),
      period: z.object({ startsAt: z.string(), endsAt: z.string() }),
      resources: perResource(standing),
      usage: perResource(() => z.number()).meta({
        description: "`used` of each resource, as an older client reads it.",
      }),
      limits: perResource(() => z.number().nullable()).meta({ description: "`limit` of each resource." }),
    })
    .meta({ id: "Usage" }),
);

export const quotaParams = shape(() => z.object({ resource: z.enum(resourceNames).meta({ example: "aiTokens" }) }));

export const daysQuery = shape(() =>
  z.object({ days: z.coerce.number().int().min(1).max(365).default(30).meta({ description: "At most 365." }) }),
);

const amounts = shape(() =>
  z.object({
    apiCalls: z.number(),
    aiTokens: z.number(),
    transcriptionMinutes: z.number(),
    processingMinutes: z.number(),
    credits: z.number(),
    moneyMicroUsd: z.number(),
  }),
);

export type Amounts = Output<typeof amounts>;

export const historyShape = shape(() =>
  z
    .object({
      days: z.number().int(),
      from: z.string(),
      to: z.string(),
      items: z
        .array(
          amounts().extend({
            date: z.string(),
            storageBytes: z.number().int().meta({ description: "When the day ended; today: now." }),
          }),
        )
        .meta({ description: "Every day, oldest first." }),
      totals: amounts(),
    })
    .meta({ id: "UsageHistory" }),
);

export const statsShape = shape(() =>
  z
    .object({
      days: z.number().int(),
      totals: amounts(),
      dailyAverage: amounts(),
      byUser: z
        .array(amounts().extend({ userId: z.string() }))
        .meta({ description: "At most 100, most events first." }),
      byKey: z.array(amounts().extend({ keyId: z.string() })),
      byModel: z.array(amounts().extend({ model: z.string() })),
    })
    .meta({ id: "UsageStats" }),
);

export const reportQuery = shape(() =>
  z.object({
    period: z
      .string()
      .toLowerCase()
      .pipe(z.enum(reportTypes))
      .default("monthly")
      .meta({ description: "daily, weekly (from Monday) or monthly; in UTC." }),
    format: z.enum(["json", "csv"]).default("json"),
    date: z.iso.date().optional().meta({ description: "A day in the period; today unless given." }),
  }),
);

const reportData = shape(() =>
  z.object({
    costs: z.object({
      currency: z.literal("usd"),
      storageMicroUsd: z.number().int(),
      minutesMicroUsd: z.number().int(),
      apiCallsMicroUsd: z.number().int(),
      modelsMicroUsd: z.number().int(),
      totalMicroUsd: z.number().int(),
    }),
    percentUsed: z.record(z.string(), z.number().nullable()),
    apiCalls: z.number(),
    aiTokens: z.number(),
    transcriptionMinutes: z.number(),
    processingMinutes: z.number(),
    credits: z.number(),
    moneyMicroUsd: z.number(),
    growthPercent: z
      .record(z.string(), z.number().nullable())
      .meta({ description: "Against the period before; null when there was nothing." }),
  }),
);

export type ReportData = Output<typeof reportData>;

export const reportShape = shape(() =>
  z
    .object({
      id: z.string().nullable().meta({ description: "Of a month that has ended; null while a report is made anew." }),
      workspaceId: z.string(),
      reportType: z.enum(reportTypes),
      periodStart: z.string(),
      periodEnd: z.string(),
      totalUploads: z.number().int(),
      totalMinutes: z.number(),
      totalStorage: z.number().int().meta({ description: "Bytes." }),
      reportData: reportData(),
      createdAt: z.string(),
    })
    .meta({ id: "UsageReport" }),
);

export type UsageReport = Output<typeof reportShape>;

function nullableCount() {
  return z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullable();
}

export const limitValues = shape(() =>
  z.object({
    storageBytes: nullableCount(),
    processingMinutesPerMonth: nullableCount(),
    transcriptionMinutesPerMonth: nullableCount(),
    apiCallsPerMonth: nullableCount(),
    aiTokensPerMonth: nullableCount(),
    creditsPerDay: nullableCount(),
    moneyMicroUsdPerMonth: nullableCount(),
    apiKeyRequestsPerMinute: nullableCount(),
    chatRequestsPerMinute: nullableCount(),
    batchRequestsPerMinute: nullableCount(),
    conversionsPerHour: nullableCount(),
    members: nullableCount(),
  }),
);

const overrides = shape(() =>
  z.strictObject({
    ...limitValues().partial().shape,
    sessionRequestsPerMinute: z.number().int().min(1).max(1_000_000).optional(),
  }),
);

export const limitsQuery = shape(() =>
  z.object({
    workspace: z.string().max(64).optional().meta({ description: "Its id; the caller's own unless given." }),
  }),
);

export const limitsBody = shape(() =>
  z.strictObject({
    workspaceId: z.string().max(64).meta({ example: "wks_01kahs7m3n0000000000000000" }),
    overrides: overrides().meta({
      description: "All overrides from now on; null: no limit. What is left out is the plan's.",
    }),
  }),
);

export const limitsShape = shape(() =>
  z
    .object({
      workspaceId: z.string(),
      plan: z.string(),
      planLimits: limitValues(),
      overrides: overrides(),
      limits: limitValues(),
    })
    .meta({ id: "WorkspaceLimits" }),
);
