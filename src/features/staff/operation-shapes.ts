/** The figures of administration. */
import * as z from "zod";
import { type Output, shape } from "#core/shape";
import { statusShape } from "#features/monitoring/shapes";

const figure = () => z.number().int();
const jobs = shape(() => z.object({ waiting: figure(), running: figure(), failedLastDay: figure() }));

export const statsShape = shape(() =>
  z
    .object({
      success: z.literal(true).meta({ description: "As an older client reads it." }),
      timestamp: z.string(),
      conversions: z.object({
        totalConversions: figure(),
        completedConversions: figure(),
        failedConversions: figure(),
        audioToImageCount: figure(),
        imageToAudioCount: figure(),
        totalDataProcessed: figure().meta({ description: "Bytes." }),
        averageConversionTime: figure().nullable().meta({ description: "Milliseconds, of completed ones." }),
        successRate: z.number().nullable(),
      }),
      users: z.object({
        total: figure(),
        active: figure(),
        verified: figure(),
        newToday: figure(),
        subUsers: figure(),
      }),
      tokens: z.object({ totalTokensUsed: figure(), tokensToday: figure() }),
      api: z.object({
        totalApiCalls: figure().meta({ description: "Of API keys, as the ledgers have reported them." }),
        apiCallsToday: figure(),
        totalMessages: figure(),
        messagesToday: figure(),
        apiKeys: figure(),
        apiKeysUsedToday: figure(),
      }),
      system: z.object({
        sessionsBegunLastDay: figure(),
        files: figure(),
        storedBytes: figure(),
        workspacesByPlan: z.record(z.string(), figure()),
        jobs: jobs(),
      }),
      data: z
        .object({
          user_statistics: z.object({
            total: figure(),
            active: figure(),
            verified: figure(),
            new_users_today: figure(),
          }),
          api_statistics: z.object({
            total_api_calls: figure(),
            api_calls_today: figure(),
            total_messages: figure(),
            total_tokens_used: figure(),
          }),
          system_statistics: z.object({ active_sessions: figure(), timestamp: z.string() }),
        })
        .meta({
          description:
            "The same under an older system's names. Its `active_sessions` are those begun within a day, the life of its sessions.",
        }),
    })
    .meta({ id: "AdminStats" }),
);

export const adminHealthShape = shape(() =>
  statusShape()
    .extend({
      environment: z.string(),
      jobs: jobs(),
      lastHour: z.object({ errors: figure(), warnings: figure(), failedSignIns: figure() }),
    })
    .meta({ id: "AdminHealth" }),
);

export const clearedShape = shape(() =>
  z
    .object({
      success: z.boolean(),
      message: z.string(),
      cleared: z
        .object({
          memberships: figure(),
          apiKeys: figure(),
          sessions: figure(),
          accessTokens: figure(),
          models: figure(),
          providerKeys: figure(),
        })
        .meta({ description: "How many entries of each were forgotten." }),
    })
    .meta({ id: "CachesCleared" }),
);

const instant = shape(() =>
  z.iso
    .datetime({ offset: true })
    .or(z.iso.date())
    .transform((text) => Date.parse(text))
    .meta({ example: "2026-01-31" }),
);

export const usageStatsQuery = shape(() =>
  z.object({
    group_by: z.enum(["day", "provider", "model"]).default("day"),
    days: z.coerce.number().int().min(1).max(366).default(30).meta({ description: "Back from `to`; without `from`." }),
    from: instant().optional(),
    to: instant().optional(),
  }),
);
export type UsageStatsQuery = Output<typeof usageStatsQuery>;

const usageMembers = () => ({ requests: figure(), tokens: figure(), costMicroUsd: figure() });
export const usageStatsShape = shape(() =>
  z
    .object({
      groupBy: z.enum(["day", "provider", "model"]),
      from: z.string(),
      to: z.string(),
      items: z.array(z.object({ key: z.string(), ...usageMembers() })),
      totals: z.object(usageMembers()),
    })
    .meta({ id: "AdminUsageStats" }),
);

export const revenueQuery = shape(() =>
  z.object({ period: z.enum(["month", "quarter", "year", "all"]).default("month") }),
);
export type RevenueQuery = Output<typeof revenueQuery>;

export const revenueShape = shape(() =>
  z
    .object({
      period: z.enum(["month", "quarter", "year", "all"]),
      from: z.string().nullable(),
      currency: z.literal("usd"),
      totalMicroUsd: figure().meta({ description: "Millionths of a dollar, of paid invoices." }),
      invoices: figure(),
      months: z.array(z.object({ month: z.string(), invoices: figure(), amountMicroUsd: figure() })),
      sandboxMicroUsd: figure().meta({ description: "Play money of the simulator, counted nowhere else." }),
      monthlyRecurringMicroUsd: figure(),
      subscriptions: z.array(
        z.object({
          provider: z.enum(["stripe", "sandbox"]),
          state: z.string(),
          plan: z.string().nullable(),
          interval: z.string().nullable(),
          subscriptions: figure(),
        }),
      ),
    })
    .meta({ id: "AdminRevenue" }),
);
