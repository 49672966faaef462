/** The statements behind Idempotency-Key: a row is claimed by one conditional insert, so two equal requests never both run. */
import { and, eq, isNull, lt } from "drizzle-orm";
import type { Database } from "./context.ts";
import type { Statement } from "./work.ts";
import { idempotencyKeys } from "./tables.ts";

const lockMs = 10_000;
export const keptMs = 24 * 3_600_000;

type Db = { db: Database; now(): number };
interface KeyId {
  scope: string;
  operation: string;
  key: string;
}

const is = (id: KeyId) =>
  and(
    eq(idempotencyKeys.scope, id.scope),
    eq(idempotencyKeys.operation, id.operation),
    eq(idempotencyKeys.key, id.key),
  );

/** Claims the key for one run; null: the key has an answer, another body, or a run that may still be alive. */
export async function claimKey(
  ctx: Db,
  claim: KeyId & { requestHash: string },
): Promise<{ createdAt: number; isReplay: boolean } | null> {
  const at = ctx.now();
  const [row] = await ctx.db
    .insert(idempotencyKeys)
    .values({ ...claim, lockedUntil: at + lockMs, createdAt: at })
    .onConflictDoUpdate({
      target: [idempotencyKeys.scope, idempotencyKeys.operation, idempotencyKeys.key],
      set: { lockedUntil: at + lockMs },
      setWhere: and(
        isNull(idempotencyKeys.status),
        eq(idempotencyKeys.requestHash, claim.requestHash),
        lt(idempotencyKeys.lockedUntil, at),
      ),
    })
    .returning({ createdAt: idempotencyKeys.createdAt, lockedUntil: idempotencyKeys.lockedUntil });
  return row ? { createdAt: row.createdAt, isReplay: row.createdAt < at } : null;
}

export async function findKey(ctx: Db, id: KeyId) {
  const [row] = await ctx.db.select().from(idempotencyKeys).where(is(id));
  return row ?? null;
}

export async function keepAnswer(
  ctx: Db,
  id: KeyId,
  answer: { status: number; body: string | undefined },
): Promise<void> {
  await ctx.db
    .update(idempotencyKeys)
    .set({ status: answer.status, body: answer.body ?? null })
    .where(is(id));
}

export async function freeKey(ctx: Db, id: KeyId): Promise<void> {
  await ctx.db.delete(idempotencyKeys).where(and(is(id), isNull(idempotencyKeys.status)));
}

export function purgeKeys(ctx: Db, before: number): Statement {
  return ctx.db.delete(idempotencyKeys).where(lt(idempotencyKeys.createdAt, before));
}
