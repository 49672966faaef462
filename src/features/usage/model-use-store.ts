/** The statements that write down what requests of models came to. */
import { and, eq, lt, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import type { UsesEvent } from "#durable/ledger/client";
import { dayName } from "#lib/usage-period";
import { modelUseDays, modelUseEvents } from "./tables.ts";

type Db = { db: Database };

/** Events with the sums of their days. An event that is known changes nothing, so the same page may come again. */
export function addModelUses(ctx: Db, workspaceId: string, events: readonly UsesEvent[]): Statement[] {
  const rows = events.flatMap(({ uses, atMs, ...event }) =>
    uses.map((use) => ({ ...event, ...use, at: atMs, day: dayName(atMs) })),
  );
  if (rows.length === 0) return [];
  // One parameter: D1 allows a hundred in a statement.
  const insert = ctx.db
    .insert(modelUseEvents)
    .select(
      sql`select u.value ->> 'id', u.value ->> 'at', ${workspaceId}, u.value ->> 'day', u.value ->> 'userId', u.value ->> 'keyId',
        u.value ->> 'model', u.value ->> 'provider', u.value ->> 'operation', u.value ->> 'requests', u.value ->> 'errors',
        u.value ->> 'estimated', u.value ->> 'tokens', u.value ->> 'inputTokens', u.value ->> 'cachedTokens',
        u.value ->> 'outputTokens', u.value ->> 'moneyMicroUsd', 0 from json_each(${JSON.stringify(rows)}) u where true`,
    )
    .onConflictDoNothing();
  // One transaction: what is not summed yet is what was inserted just now.
  const added = (column: string) => sql.raw(`"model_use_days"."${column}" + excluded."${column}"`);
  const { day, userId, keyId, model, provider, operation } = modelUseDays;
  const sum = ctx.db
    .insert(modelUseDays)
    .select(
      sql`select workspace_id, day, user_id, key_id, model, provider, operation, sum(requests), sum(errors), sum(estimated),
        sum(tokens), sum(input_tokens), sum(cached_tokens), sum(output_tokens), sum(money_micro_usd) from model_use_events
        where workspace_id = ${workspaceId} and summed = 0 group by 1, 2, 3, 4, 5, 6, 7`,
    )
    .onConflictDoUpdate({
      target: [modelUseDays.workspaceId, day, userId, keyId, model, provider, operation],
      set: {
        requests: added("requests"),
        errors: added("errors"),
        estimated: added("estimated"),
        tokens: added("tokens"),
        inputTokens: added("input_tokens"),
        cachedTokens: added("cached_tokens"),
        outputTokens: added("output_tokens"),
        moneyMicroUsd: added("money_micro_usd"),
      },
    });
  const mark = ctx.db
    .update(modelUseEvents)
    .set({ summed: true })
    .where(and(eq(modelUseEvents.workspaceId, workspaceId), eq(modelUseEvents.summed, false)));
  return [insert, sum, mark];
}

export function purgeModelUses(ctx: Db, before: number): Statement {
  return ctx.db.delete(modelUseEvents).where(lt(modelUseEvents.at, before));
}
