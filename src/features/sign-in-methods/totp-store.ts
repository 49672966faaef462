/** Every statement about authenticator apps and recovery codes. */
import { and, count, eq, inArray, isNotNull, isNull, lt } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/work";
import { recoveryCodes, totpFactors, type TotpRow } from "./tables.ts";

export async function findTotp(db: Database, userId: string): Promise<TotpRow | null> {
  const [row] = await db.select().from(totpFactors).where(eq(totpFactors.userId, userId));
  return row ?? null;
}

/** A new offer takes the place of one that was never activated, and of nothing else. False when an active one exists. */
export async function offerTotp(db: Database, row: typeof totpFactors.$inferInsert): Promise<boolean> {
  const { userId: _, ...change } = row;
  const written = await db
    .insert(totpFactors)
    .values(row)
    .onConflictDoUpdate({ target: totpFactors.userId, set: change, setWhere: isNull(totpFactors.activatedAt) })
    .returning({ userId: totpFactors.userId });
  return written.length > 0;
}

/** Accepts a step if it is newer than every accepted one; of two parallel tries with one code, one comes through. */
export async function acceptStep(db: Database, row: TotpRow, step: number): Promise<boolean> {
  const accepted = await db
    .update(totpFactors)
    .set({ lastStep: step })
    .where(
      and(
        eq(totpFactors.userId, row.userId),
        eq(totpFactors.wrappedSecret, row.wrappedSecret),
        lt(totpFactors.lastStep, step),
      ),
    )
    .returning({ userId: totpFactors.userId });
  return accepted.length > 0;
}

export function activateTotp(db: Database, row: TotpRow, at: number): Statement {
  return db
    .update(totpFactors)
    .set({ activatedAt: at })
    .where(
      and(
        eq(totpFactors.userId, row.userId),
        eq(totpFactors.wrappedSecret, row.wrappedSecret),
        isNull(totpFactors.activatedAt),
      ),
    );
}

/** The same secret under the current master key, unless it was replaced meanwhile. */
export function rewrapTotp(
  db: Database,
  row: TotpRow,
  wrapped: { wrappedSecret: string; masterVersion: number },
): Statement {
  return db
    .update(totpFactors)
    .set(wrapped)
    .where(and(eq(totpFactors.userId, row.userId), eq(totpFactors.wrappedSecret, row.wrappedSecret)));
}

export function removeTotp(db: Database, userId: string): Statement[] {
  return [
    db.delete(totpFactors).where(eq(totpFactors.userId, userId)),
    db.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId)),
  ];
}

/** Ten rows of three columns: far below what one statement may bind. */
export function replaceRecoveryCodes(
  db: Database,
  userId: string,
  given: { hashes: readonly string[]; at: number },
): Statement[] {
  return [
    db.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId)),
    db.insert(recoveryCodes).values(given.hashes.map((hash) => ({ userId, hash, createdAt: given.at }))),
  ];
}

/** True for the one call that uses the code. */
export async function useRecoveryCode(
  db: Database,
  userId: string,
  given: { hashes: string[]; at: number },
): Promise<boolean> {
  const used = await db
    .update(recoveryCodes)
    .set({ usedAt: given.at })
    .where(
      and(eq(recoveryCodes.userId, userId), inArray(recoveryCodes.hash, given.hashes), isNull(recoveryCodes.usedAt)),
    )
    .returning({ hash: recoveryCodes.hash });
  return used.length > 0;
}

export async function countUnusedCodes(db: Database, userId: string): Promise<number> {
  const [row] = await db
    .select({ left: count() })
    .from(recoveryCodes)
    .where(and(eq(recoveryCodes.userId, userId), isNull(recoveryCodes.usedAt)));
  return row?.left ?? 0;
}

export async function hasActiveTotp(db: Database, userId: string): Promise<boolean> {
  const [row] = await db
    .select({ userId: totpFactors.userId })
    .from(totpFactors)
    .where(and(eq(totpFactors.userId, userId), isNotNull(totpFactors.activatedAt)));
  return row !== undefined;
}
