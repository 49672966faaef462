/** Every statement about identities elsewhere and about values that work once. */
import { and, asc, eq, exists, gt, inArray, lt, or, sql } from "drizzle-orm";
import type { Ctx, Database } from "#core/context";
import type { Statement } from "#core/work";
import { keyedHash, keyedHashes } from "./keys.ts";
import { deviceGrants, type IdentityRow, oneTimeValues, passkeys, signInIdentities } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

export type OneTimeKind = "oauth-start" | "oauth-state" | "return-code" | "passkey-registration" | "passkey-sign-in";

/** Keeps data under a secret that only the client knows; the row holds its keyed hash. */
export function keepOnce(
  ctx: Ctx,
  kind: OneTimeKind,
  value: { secret: string; data: Record<string, unknown>; expiresAt: number },
): Statement {
  const hash = keyedHash(ctx.settings.masterKeys[0], "one-time value", value.secret);
  return ctx.db.insert(oneTimeValues).values({ hash, kind, data: value.data, expiresAt: value.expiresAt });
}

/** The data, for exactly one call; null when it was taken, has ended or never was. */
export async function takeOnce(
  ctx: Ctx,
  kind: OneTimeKind,
  secret: string,
): Promise<{ data: Record<string, unknown>; expiresAt: number } | null> {
  const hashes = keyedHashes(ctx.settings, "one-time value", secret);
  const [row] = await ctx.db
    .delete(oneTimeValues)
    .where(
      and(inArray(oneTimeValues.hash, hashes), eq(oneTimeValues.kind, kind), gt(oneTimeValues.expiresAt, ctx.now())),
    )
    .returning();
  return row ? { data: row.data, expiresAt: row.expiresAt } : null;
}

/** A device that comes late is told for an hour that its code has expired. */
const lateMs = 3_600_000;

export function purgeExpired(ctx: Ctx): [Statement, Statement] {
  return [
    ctx.db.delete(oneTimeValues).where(lt(oneTimeValues.expiresAt, ctx.now())),
    ctx.db.delete(deviceGrants).where(lt(deviceGrants.expiresAt, ctx.now() - lateMs)),
  ];
}

export async function findIdentity(db: Database, issuer: string, subject: string): Promise<IdentityRow | null> {
  const [row] = await db
    .select()
    .from(signInIdentities)
    .where(and(eq(signInIdentities.issuer, issuer), eq(signInIdentities.subject, subject)));
  return row ?? null;
}

/** At most 100: nobody has more accounts elsewhere than that. */
export async function listIdentities(db: Database, userId: string): Promise<IdentityRow[]> {
  return db
    .select()
    .from(signInIdentities)
    .where(eq(signInIdentities.userId, userId))
    .orderBy(asc(signInIdentities.id))
    .limit(100);
}

/** Does it still open this person's account? */
export async function opensAccount(db: Database, identity: { id: string; userId: string }): Promise<boolean> {
  const [row] = await db
    .select({ id: signInIdentities.id })
    .from(signInIdentities)
    .where(and(eq(signInIdentities.id, identity.id), eq(signInIdentities.userId, identity.userId)));
  return row !== undefined;
}

export function insertIdentity(db: Database, row: typeof signInIdentities.$inferInsert): Statement {
  return db.insert(signInIdentities).values(row);
}

export function touchIdentity(db: Database, id: string, at: number): Statement {
  return db.update(signInIdentities).set({ lastUsedAt: at }).where(eq(signInIdentities.id, id));
}

/** Deletes in one statement with its condition, so that of two last ways removed at once one stays. False: nothing was deleted. */
export async function deleteIdentity(
  db: Database,
  userId: string,
  given: { id: string; hasPassword: boolean },
): Promise<boolean> {
  const others = db
    .select({ one: sql`1` })
    .from(sql`${signInIdentities} as other`)
    .where(sql`other.user_id = ${userId} and other.id <> ${given.id}`);
  const keys = db
    .select({ one: sql`1` })
    .from(passkeys)
    .where(eq(passkeys.userId, userId));
  const deleted = await db
    .delete(signInIdentities)
    .where(
      and(
        eq(signInIdentities.id, given.id),
        eq(signInIdentities.userId, userId),
        given.hasPassword ? undefined : or(exists(others), exists(keys)),
      ),
    )
    .returning({ id: signInIdentities.id });
  return deleted.length > 0;
}

/**
 * For a reset that proves an address for the first time: whoever registered with somebody else's address must not keep a way in.
 */
export function dropUnprovenWays(db: Database, userId: string): Statement[] {
  return [
    db.delete(signInIdentities).where(eq(signInIdentities.userId, userId)),
    db.delete(passkeys).where(eq(passkeys.userId, userId)),
  ];
}

export function isIdentityTaken(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("sign_in_identities.issuer"));
}
