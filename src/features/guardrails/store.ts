/** Every statement about guardrails. Those of another workspace are found by none of them. */
import { eq, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/work";
import { messagesOf } from "#lib/error-messages";
import { guardrails, type GuardrailsRow } from "./tables.ts";

type StoreCtx = { db: Database; workspaceId: string };

export async function findGuardrails(ctx: StoreCtx): Promise<GuardrailsRow | null> {
  const [row] = await ctx.db.select().from(guardrails).where(eq(guardrails.workspaceId, ctx.workspaceId));
  return row ?? null;
}

/** Breaks the batch that it is in unless the version before is the one that lies there. */
export function replaceGuardrails(ctx: StoreCtx, row: Omit<GuardrailsRow, "workspaceId">): Statement {
  const { workspaceId } = ctx;
  if (row.version === 1) return ctx.db.insert(guardrails).values({ workspaceId, ...row });
  // Null breaks the column's rule, and with it the whole batch.
  const version = sql`case when ${guardrails.version} = ${row.version - 1} then ${row.version} end`;
  return ctx.db
    .update(guardrails)
    .set({ ...row, version })
    .where(eq(guardrails.workspaceId, workspaceId));
}

export function isOvertaken(error: unknown): boolean {
  return messagesOf(error).some((message) => /constraint failed: guardrails\.(?:version|workspace_id)/.test(message));
}

export function eraseGuardrails(ctx: StoreCtx): Statement {
  return ctx.db.delete(guardrails).where(eq(guardrails.workspaceId, ctx.workspaceId));
}
