/** Every statement about kept responses. One of another workspace, of the other mode, or past its time is found by none of them. */
import { and, eq, gt, inArray, isNotNull, lt, lte } from "drizzle-orm";
import type { Database, WorkspaceCtx } from "#core/context";
import type { SealedSecret } from "#core/sealed-secret";
import { isTestMode } from "#core/test-mode";
import type { Statement } from "#core/work";
import { modelResponses, type ResponseRow } from "./tables.ts";

export function modeOf(ctx: WorkspaceCtx): ResponseRow["mode"] {
  return isTestMode(ctx) ? "test" : "live";
}

/** A sub-user sees its own only. */
function visible(ctx: WorkspaceCtx, id: string) {
  return and(
    eq(modelResponses.id, id),
    eq(modelResponses.workspaceId, ctx.workspaceId),
    eq(modelResponses.mode, modeOf(ctx)),
    gt(modelResponses.expiresAt, ctx.now()),
    ctx.subUser ? eq(modelResponses.userId, ctx.userId) : undefined,
  );
}

export function insertResponse(db: Database, row: ResponseRow): Statement {
  return db.insert(modelResponses).values(row);
}

export async function findResponse(ctx: WorkspaceCtx, id: string): Promise<ResponseRow | null> {
  const [row] = await ctx.db.select().from(modelResponses).where(visible(ctx, id));
  return row ?? null;
}

export function deleteResponseRow(ctx: WorkspaceCtx, id: string): Statement {
  return ctx.db.delete(modelResponses).where(visible(ctx, id));
}

export async function listExpired(
  db: Database,
  at: number,
  limit: number,
): Promise<Pick<ResponseRow, "id" | "r2Key">[]> {
  return db
    .select({ id: modelResponses.id, r2Key: modelResponses.r2Key })
    .from(modelResponses)
    .where(lte(modelResponses.expiresAt, at))
    .limit(limit);
}

export function deleteResponses(db: Database, ids: readonly string[]): Statement {
  return db.delete(modelResponses).where(inArray(modelResponses.id, [...ids]));
}

/** In an envelope of an older master key. */
export async function listStale(db: Database, masterVersion: number, limit: number): Promise<ResponseRow[]> {
  return db
    .select()
    .from(modelResponses)
    .where(and(isNotNull(modelResponses.wrapped), lt(modelResponses.masterVersion, masterVersion)))
    .limit(limit);
}

/** Unless somebody else was faster. */
export function replaceWrapping(db: Database, row: ResponseRow, sealed: SealedSecret): Statement {
  return db
    .update(modelResponses)
    .set({ wrapped: sealed.wrappedSecret, masterVersion: sealed.masterVersion })
    .where(and(eq(modelResponses.id, row.id), eq(modelResponses.masterVersion, row.masterVersion)));
}

/** All of a workspace, for its purge, which removes the objects itself. */
export function eraseAllResponses(ctx: { db: Database; workspaceId: string }): Statement {
  return ctx.db.delete(modelResponses).where(eq(modelResponses.workspaceId, ctx.workspaceId));
}
