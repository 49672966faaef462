/** The few statements of the health and status pages. */
import { sql } from "drizzle-orm";
import type { Ctx } from "#core/context";
import type { Statement } from "#core/job";
import { cronTicks } from "./tables.ts";

export async function ping(ctx: Ctx): Promise<void> {
  await ctx.db
    .select({ one: sql`1` })
    .from(cronTicks)
    .limit(1);
}

export function recordTick(ctx: Ctx, every: string): Statement {
  return ctx.db
    .insert(cronTicks)
    .values({ every, at: ctx.now() })
    .onConflictDoUpdate({ target: cronTicks.every, set: { at: ctx.now() } });
}

export async function readTicks(ctx: Ctx): Promise<{ every: string; at: number }[]> {
  return ctx.db.select().from(cronTicks).limit(10);
}
