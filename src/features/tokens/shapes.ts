/** What clients send and see of tokens. Names are those of system C's document; bodies are taken in camelCase, too. */
import * as z from "zod";
import { inEitherSpelling, legacyBody } from "#core/legacy-body";
import { type Output, shape } from "#core/shape";

export const maxTokens = 10_000_000;
export const maxSeconds = 3_600;
const maxDays = 365;
const maxRecords = 1_000;

const count = () => z.number().int().min(0);
const left = () => z.number().int().nullable().meta({ description: "null: no limit." });
const amount = (least: number) => z.number().int().min(least).max(maxTokens);

export const balanceShape = shape(() =>
  z
    .object({
      tokens_remaining: left().meta({ description: "What all limits on you leave; null: there is none." }),
      tokens_used: count().meta({ description: "In the month that runs." }),
      tokens_reserved: count().meta({ description: "Held for work that runs." }),
      monthly_limit: left(),
      bonus_tokens: count().meta({ description: "Granted on top, kept until they are used." }),
      usage_percentage: z.number().nullable(),
      reset_date: z.string().nullable(),
      subscription_tier: z.string(),
      limited_by: z
        .enum(["workspace", "user", "key", "model"])
        .nullable()
        .meta({ description: "Whose limit leaves the least." }),
    })
    .meta({ id: "TokenBalance" }),
);

const limit = shape(() =>
  z.object({
    resource: z.enum(["tokens", "money_micro_usd"]),
    scope: z.enum(["workspace", "user", "key", "model"]),
    period: z.enum(["day", "month", "total"]),
    limit: left(),
    used: count(),
    reserved: count(),
    remaining: left(),
    reset_date: z.string().nullable(),
  }),
);
export type LimitShown = Output<typeof limit>;

export const limitsShape = shape(() =>
  z
    .object({
      subscription_tier: z.string(),
      monthly_limit: left(),
      tokens_used: count(),
      tokens_remaining: left(),
      reset_date: z.string().nullable(),
      limits: z.array(limit()).meta({ description: "All that a request of yours has to keep within." }),
      rate_limits: z.object({
        requests_per_minute: left().meta({ description: "Of this credential, on most operations." }),
        chat_requests_per_minute: left(),
        batch_requests_per_minute: left(),
        requests_per_hour: left(),
        concurrent_requests: left(),
      }),
    })
    .meta({ id: "TokenLimits" }),
);

const scope = () =>
  z.enum(["workspace", "me"]).default("workspace").meta({
    description: "Everybody's use, or your own. A sub-user sees its own only.",
  });
const days = () =>
  z.coerce.number().int().min(1).max(maxDays).default(30).meta({ description: "At most 365, today's among them." });

export const usageQuery = shape(() =>
  z.object({
    days: days(),
    scope: scope(),
    limit: z.coerce.number().int().min(1).max(maxRecords).default(100).meta({ description: "Records at most." }),
    offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
  }),
);
export type UsageQuery = Output<typeof usageQuery>;

export const statsQuery = shape(() => z.object({ days: days(), scope: scope() }));
export type StatsQuery = Output<typeof statsQuery>;

const sums = shape(() =>
  z.object({
    requests: count(),
    errors: count(),
    estimated: count().meta({ description: "Requests whose tokens were counted from their text." }),
    tokens_used: count(),
    input_tokens: count(),
    cached_tokens: count().meta({ description: "Among the input." }),
    output_tokens: count(),
    cost_micro_usd: count(),
    cost_usd: z.number(),
  }),
);
export type Sums = Output<typeof sums>;

const byDate = () => z.array(sums().extend({ date: z.string() })).meta({ description: "Every day, oldest first." });
const byModel = () =>
  z.array(sums().extend({ model: z.string() })).meta({ description: "At most 100, most tokens first." });
const byProvider = () => z.array(sums().extend({ provider: z.string().nullable() }));

const totals = () => ({
  total_tokens: count(),
  total_requests: count(),
  total_cost_usd: z.number(),
});

export const usageShape = shape(() =>
  z
    .object({
      days: count(),
      from: z.string(),
      to: z.string(),
      ...totals(),
      totals: sums(),
      daily_usage: byDate(),
      weekly_usage: z
        .array(sums().extend({ week_start: z.string() }))
        .meta({ description: "By weeks from Monday; the first and the last may be cut." }),
      usage_by_model: byModel(),
      usage_by_provider: byProvider(),
      records: z
        .array(
          sums().extend({
            date: z.string(),
            user_id: z.string().nullable(),
            key_id: z.string().nullable(),
            model_name: z.string().nullable(),
            provider: z.string().nullable().meta({ description: "null: nobody answered." }),
            request_type: z.string(),
          }),
        )
        .meta({ description: "One for each day, person, key, model, provider and kind of request; newest first." }),
      total_records: count(),
      limit: count(),
      offset: count(),
    })
    .meta({ id: "TokenUsage" }),
);

export const statsShape = shape(() =>
  z
    .object({
      days: count(),
      from: z.string(),
      to: z.string(),
      ...totals(),
      total_errors: count(),
      success_rate: z.number().nullable().meta({ description: "0 to 1; null: nothing was asked." }),
      average_tokens_per_request: z.number(),
      average_tokens_per_day: z.number(),
      peak_day: z.object({ date: z.string(), tokens_used: count() }).nullable(),
      by_model: byModel(),
      by_provider: byProvider(),
      by_request_type: z.array(sums().extend({ request_type: z.string() })),
    })
    .meta({ id: "TokenStats" }),
);

const reservationId = () =>
  z
    .string()
    .min(1)
    .max(64)
    .meta({ example: "rsv_01kahs7m3n0000000000000000", description: "Of POST /v1/tokens/reserve." });
const model = () => z.string().min(1).max(200).meta({ description: "What the work asks, for limits and the record." });
const provider = () =>
  z
    .string()
    .regex(/^[\w.-]{1,40}$/)
    .meta({ description: "Whom it asks, for the record." });
const requestType = () =>
  z
    .string()
    .regex(/^[\w.-]{1,40}$/)
    .meta({ description: "Such as chat, completion or embedding." });

export const reserveBody = shape(() =>
  z
    .preprocess(
      inEitherSpelling,
      legacyBody({
        tokens: amount(1).meta({ description: "What the work can come to at most.", example: 2_000 }),
        model: model().optional(),
        expires_in_seconds: z
          .number()
          .int()
          .min(10)
          .max(maxSeconds)
          .default(600)
          .meta({ description: "After so long the tokens return by themselves. At most an hour." }),
      }),
    )
    .meta({ id: "TokenReserve" }),
);

export const consumeBody = shape(() =>
  z
    .preprocess(
      inEitherSpelling,
      legacyBody({
        tokens: amount(0).meta({ description: "What the work came to.", example: 1_350 }),
        reservation_id: reservationId().optional(),
        input_tokens: amount(0).optional().meta({ description: "Of the tokens; for the record." }),
        output_tokens: amount(0).optional(),
        model: model().optional(),
        provider: provider().optional(),
        request_type: requestType().optional(),
      }).refine(isWithin, { message: "input_tokens and output_tokens are more than tokens", path: ["tokens"] }),
    )
    .meta({ id: "TokenConsume" }),
);

function isWithin(body: { tokens: number; input_tokens?: number | undefined; output_tokens?: number | undefined }) {
  return (body.input_tokens ?? 0) + (body.output_tokens ?? 0) <= body.tokens;
}

export const releaseBody = shape(() =>
  z.preprocess(inEitherSpelling, legacyBody({ reservation_id: reservationId() })).meta({ id: "TokenRelease" }),
);

export type ReserveBody = Output<typeof reserveBody>;
export type ConsumeBody = Output<typeof consumeBody>;

export const reservedShape = shape(() =>
  z
    .object({
      success: z.literal(true),
      reservation_id: z.string(),
      reserved_tokens: count(),
      tokens_remaining: left(),
      expires_at: z.string(),
    })
    .meta({ id: "TokenReservation" }),
);

export const consumedShape = shape(() =>
  z
    .object({
      success: z.literal(true),
      reservation_id: z.string().nullable(),
      tokens_consumed: count().meta({ description: "What was charged." }),
      tokens_uncovered: count().meta({
        description: "Used beyond the reservation and beyond what was left: not charged.",
      }),
      tokens_remaining: left(),
    })
    .meta({ id: "TokensConsumed" }),
);

export const releasedShape = shape(() =>
  z
    .object({
      success: z.literal(true),
      reservation_id: z.string(),
      tokens_released: count(),
      tokens_remaining: left(),
    })
    .meta({ id: "TokensReleased" }),
);
