/** What may be asked of the message log, how an entry looks, and how entries travel through the queue. */
import * as z from "zod";
import { type MessageEntry, requestStatuses } from "#core/message-log";
import { pageOf, pageQuery } from "#core/page";
import { type Output, shape } from "#core/shape";

const id = shape(() => z.string().min(1).max(100));
const instant = shape(() =>
  z.iso
    .datetime({ offset: true })
    .or(z.iso.date())
    .transform((text) => Date.parse(text))
    .meta({ example: "2026-01-31T00:00:00Z" }),
);

const between = () => ({
  from: instant().optional().meta({ description: "From this time on." }),
  to: instant().optional().meta({ description: "Before this time." }),
});

const isOrdered = ({ from, to }: { from?: number | undefined; to?: number | undefined }) =>
  from === undefined || to === undefined || from < to;
const order = { path: ["to"], message: "not after from" };

export const ownLogQuery = shape(() =>
  pageQuery()
    .extend({
      of: z.enum(["me", "workspace"]).default("me").meta({
        description:
          "`workspace`: everybody's entries, for owners and admins (`usage:report`), without what others said and where from.",
      }),
      model: z.string().min(1).max(300).optional().meta({ example: "gpt-4o-mini" }),
      status: z.enum(requestStatuses).optional(),
      operation: id().optional().meta({ example: "chat" }),
      keyId: id().optional().meta({ description: "Entries of one API key." }),
      userId: id().optional().meta({ description: "With `of=workspace`: entries of one person." }),
      ...between(),
    })
    .refine(isOrdered, order),
);
export type OwnLogQuery = Output<typeof ownLogQuery>;

export const eraseQuery = shape(() => z.object(between()).refine(isOrdered, order));
export const erasedShape = shape(() =>
  z.object({ success: z.literal(true), deleted: z.number().int() }).meta({ id: "MessageLogErased" }),
);

const count = () => z.number().int();

const entryMembers = () => ({
  id: z.string(),
  at: z.string().meta({ description: "When the answer was over." }),
  userId: z.string(),
  keyId: z.string().nullable(),
  mode: z.enum(["live", "test"]),
  operation: z.string().meta({ example: "chat" }),
  model: z.string(),
  provider: z.string().nullable().meta({ description: "Who answered; null: nobody did." }),
  status: z.enum(requestStatuses).meta({
    description:
      "`cut`: a stream that broke off. `cancelled`: the caller left; the rest of a stream was still counted.",
  }),
  httpStatus: count().nullable().meta({ description: "Null: the caller had left before there was one." }),
  errorCode: z.string().nullable(),
  isStream: z.boolean(),
  isCached: z.boolean().meta({ description: "Answered from the cache, at no cost." }),
  inputTokens: count(),
  cachedInputTokens: count(),
  outputTokens: count(),
  tokensUsed: count(),
  isEstimated: z.boolean().meta({ description: "The provider did not tell the use." }),
  costMicroUsd: count(),
  currency: z.literal("usd"),
  durationMs: count(),
  promptStyle: z.string().nullable(),
  isResearched: z.boolean(),
  requestId: z.string(),
});

const contents = shape(() =>
  z
    .object({ request: z.unknown(), response: z.string().nullable(), isCut: z.boolean() })
    .meta({ id: "MessageLogContents" }),
);

export const ownLogShape = shape(() =>
  z
    .object({
      ...entryMembers(),
      address: z.string().nullable(),
      messages: contents()
        .nullable()
        .meta({ description: "Redacted, and at most 8,000 characters each way; null: not kept, or not yours." }),
    })
    .meta({ id: "MessageLogEntry" }),
);
export const ownLogPage = pageOf(ownLogShape, "MessageLogEntryPage");

export const userParams = shape(() => z.object({ userId: id() }));

export const staffLogShape = shape(() =>
  z
    .object({
      ...entryMembers(),
      username: z.string().nullable(),
      email: z.string(),
      messages: z.unknown().meta({ description: "`request` and `response`; empty where contents are not kept." }),
      researchEnabled: z.boolean(),
      rType: z.string().nullable(),
      processingTimeMs: count(),
      address: z.string().nullable(),
    })
    .meta({ id: "MessageLog" }),
);
export const staffLogPage = pageOf(staffLogShape, "MessageLogPage");

const maxEntries = 1_000;
const maxWordLength = 300;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isWord: Check = (value) => typeof value === "string" && value.length <= maxWordLength;
const isCount: Check = Number.isSafeInteger;
const isTruth: Check = (value) => typeof value === "boolean";
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

const members = {
  id: isWord,
  workspaceId: isWord,
  userId: isWord,
  keyId: orNull(isWord),
  mode: (value) => value === "live" || value === "test",
  operation: isWord,
  model: isWord,
  provider: isWord,
  status: (value) => (requestStatuses as readonly unknown[]).includes(value),
  httpStatus: orNull(isCount),
  errorCode: orNull(isWord),
  isStream: isTruth,
  isCached: isTruth,
  inputTokens: isCount,
  cachedInputTokens: isCount,
  outputTokens: isCount,
  isEstimated: isTruth,
  costMicroUsd: isCount,
  durationMs: isCount,
  promptStyle: orNull(isWord),
  isResearched: isTruth,
  requestId: isWord,
  address: orNull(isWord),
  messages: isText,
  at: isCount,
} as const satisfies Record<keyof MessageEntry, Check>;

const checks = Object.entries(members);

function isEntry(value: unknown): boolean {
  const entry = Object(value) as Record<string, unknown>;
  return checks.every(([name, check]) => check(entry[name]));
}

/** The body of a message of the queue. By hand: there is one for each model request, and a schema of this size costs as much as all that made it. */
export const messageEntries = shape(() =>
  z.custom<MessageEntry[]>((value) => Array.isArray(value) && value.length <= maxEntries && value.every(isEntry)),
);
