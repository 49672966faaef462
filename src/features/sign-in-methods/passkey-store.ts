/** Every statement about passkeys. */
import { and, asc, count, eq, exists, or, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/work";
import { type PasskeyRow, passkeys, signInIdentities } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

/** At most `maxPasskeys` a person, so one page holds them. */
export const maxPasskeys = 20;

export async function listPasskeys(db: Database, userId: string): Promise<PasskeyRow[]> {
  return db
    .select()
    .from(passkeys)
    .where(eq(passkeys.userId, userId))
    .orderBy(asc(passkeys.id))
    .limit(maxPasskeys * 2);
}

export async function findPasskey(db: Database, credentialId: string): Promise<PasskeyRow | null> {
  const [row] = await db.select().from(passkeys).where(eq(passkeys.credentialId, credentialId));
  return row ?? null;
}

export async function countPasskeys(db: Database, userId: string): Promise<number> {
  const [row] = await db.select({ held: count() }).from(passkeys).where(eq(passkeys.userId, userId));
  return row?.held ?? 0;
}

export function insertPasskey(db: Database, row: typeof passkeys.$inferInsert): Statement {
  return db.insert(passkeys).values(row);
}

/** False when the counter moved since it was read: of two assertions with one counter, one comes through. */
export async function moveCounter(
  db: Database,
  row: PasskeyRow,
  change: { counter: number; isBackedUp: boolean; lastUsedAt: number },
): Promise<boolean> {
  const moved = await db
    .update(passkeys)
    .set(change)
    .where(and(eq(passkeys.id, row.id), eq(passkeys.counter, row.counter)))
    .returning({ id: passkeys.id });
  return moved.length > 0;
}

/** Deletes in one statement with its condition, so that of two last ways removed at once one stays. */
export async function deletePasskey(
  db: Database,
  userId: string,
  given: { id: string; hasPassword: boolean },
): Promise<boolean> {
  const others = db
    .select({ one: sql`1` })
    .from(sql`${passkeys} as other`)
    .where(sql`other.user_id = ${userId} and other.id <> ${given.id}`);
  const identities = db
    .select({ one: sql`1` })
    .from(signInIdentities)
    .where(eq(signInIdentities.userId, userId));
  const deleted = await db
    .delete(passkeys)
    .where(
      and(
        eq(passkeys.id, given.id),
        eq(passkeys.userId, userId),
        given.hasPassword ? undefined : or(exists(others), exists(identities)),
      ),
    )
    .returning({ id: passkeys.id });
  return deleted.length > 0;
}

export function isPasskeyTaken(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("passkeys.credential_id"));
}
