/** The statements that sum up what was asked of models. */
import { and, asc, count, desc, eq, type SQL, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import { modelUseDays } from "#features/usage/tables";

type Db = { db: Database };

export interface Range {
  workspaceId: string;
  /** Null: everybody's. */
  userId: string | null;
  /** Days as they are named, both included. */
  from: string;
  to: string;
}

const sum = (column: (typeof modelUseDays)[keyof typeof summed]) => sql<number>`sum(${column})`.mapWith(Number);
const summed = {
  requests: modelUseDays.requests,
  errors: modelUseDays.errors,
  estimated: modelUseDays.estimated,
  tokens: modelUseDays.tokens,
  inputTokens: modelUseDays.inputTokens,
  cachedTokens: modelUseDays.cachedTokens,
  outputTokens: modelUseDays.outputTokens,
  moneyMicroUsd: modelUseDays.moneyMicroUsd,
} as const;
const sums = Object.fromEntries(Object.entries(summed).map(([name, column]) => [name, sum(column)])) as Record<
  keyof typeof summed,
  SQL<number>
>;

export type SumRow = Record<keyof typeof summed, number>;

function within({ workspaceId, userId, from, to }: Range) {
  return and(
    eq(modelUseDays.workspaceId, workspaceId),
    sql`${modelUseDays.day} between ${from} and ${to}`,
    userId === null ? undefined : eq(modelUseDays.userId, userId),
  );
}

export async function sumByDay(ctx: Db, range: Range) {
  return ctx.db
    .select({ day: modelUseDays.day, ...sums })
    .from(modelUseDays)
    .where(within(range))
    .groupBy(modelUseDays.day)
    .orderBy(asc(modelUseDays.day));
}

const groups = {
  model: modelUseDays.model,
  provider: modelUseDays.provider,
  operation: modelUseDays.operation,
} as const;
const maxGroups = 100;

/** Most tokens first; of those alike, most requests. */
export async function sumBy(ctx: Db, by: keyof typeof groups, range: Range) {
  const column = groups[by];
  return ctx.db
    .select({ name: column, ...sums })
    .from(modelUseDays)
    .where(within(range))
    .groupBy(column)
    .orderBy(desc(sums.tokens), desc(sums.requests), asc(column))
    .limit(maxGroups);
}

export async function listRecords(ctx: Db, range: Range, page: { limit: number; offset: number }) {
  const { day, userId, keyId, model, provider, operation } = modelUseDays;
  return ctx.db
    .select({ day, userId, keyId, model, provider, operation, ...summed })
    .from(modelUseDays)
    .where(within(range))
    .orderBy(desc(day), asc(userId), asc(keyId), asc(model), asc(provider), asc(operation))
    .limit(page.limit)
    .offset(page.offset);
}

export async function countRecords(ctx: Db, range: Range): Promise<number> {
  const [row] = await ctx.db.select({ records: count() }).from(modelUseDays).where(within(range));
  return row?.records ?? 0;
}
