/** Every statement about people. */
import { and, eq, isNull, ne, sql } from "drizzle-orm";
import type { Staff } from "#core/access";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { type UserRow, users } from "./tables.ts";

export async function findByEmail(db: Database, email: string): Promise<UserRow | null> {
  const [row] = await db
    .select()
    .from(users)
    .where(and(eq(users.email, email), ne(users.status, "deleted")));
  return row ?? null;
}

export async function findByUsername(db: Database, username: string): Promise<UserRow | null> {
  const [row] = await db
    .select()
    .from(users)
    .where(and(eq(users.usernameKey, username.toLowerCase()), ne(users.status, "deleted")));
  return row ?? null;
}

export async function findById(db: Database, id: string): Promise<UserRow | null> {
  const [row] = await db
    .select()
    .from(users)
    .where(and(eq(users.id, id), ne(users.status, "deleted")));
  return row ?? null;
}

/** What operations of staff ask for: the role and the level of an active person. */
export async function readStaff(db: Database, userId: string): Promise<Staff | null> {
  const [row] = await db
    .select({ role: users.role, supportLevel: users.supportLevel })
    .from(users)
    .where(and(eq(users.id, userId), eq(users.status, "active")));
  return row ?? null;
}

export function insertUser(db: Database, row: typeof users.$inferInsert): Statement {
  return db.insert(users).values(row);
}

export function updateUser(db: Database, id: string, change: Partial<typeof users.$inferInsert>): Statement {
  return db.update(users).set(change).where(eq(users.id, id));
}

/** Rolls its batch back (`isStalePassword`) unless the hash is still the one that was compared: another change may have come between. */
export function replacePassword(
  db: Database,
  user: UserRow,
  change: { passwordPhc: string; updatedAt: number },
): Statement {
  const { passwordPhc, updatedAt } = change;
  return db
    .update(users)
    .set({ passwordPhc: sql`case when ${users.passwordPhc} = ${user.passwordPhc} then ${passwordPhc} end`, updatedAt })
    .where(eq(users.id, user.id));
}

export function isStalePassword(error: unknown): boolean {
  return error instanceof Error && error.message.includes("NOT NULL constraint failed: users.password_phc");
}

/** Adds to the stored preferences in one statement, member by member, so that a change at the same time is not lost. */
export function patchPreferences(
  db: Database,
  userId: string,
  { change, at }: { change: Record<string, unknown>; at: number },
): Statement {
  const changed = Object.entries(change).reduce(
    (json, [name, value]) => sql`json_set(${json}, ${`$.${name}`}, json(${JSON.stringify(value)}))`,
    sql`${users.preferences}`,
  );
  return db.update(users).set({ preferences: changed, updatedAt: at }).where(eq(users.id, userId));
}

/** False when another key took the place meanwhile. */
export async function swapDefaultKey(
  db: Database,
  user: Pick<UserRow, "id" | "defaultKeyId">,
  keyId: string,
): Promise<boolean> {
  const before = user.defaultKeyId === null ? isNull(users.defaultKeyId) : eq(users.defaultKeyId, user.defaultKeyId);
  const changed = await db
    .update(users)
    .set({ defaultKeyId: keyId })
    .where(and(eq(users.id, user.id), before))
    .returning({ id: users.id });
  return changed.length > 0;
}

/** Only while the address is still the one that the code went to. */
export function verifyEmailOf(db: Database, user: Pick<UserRow, "id" | "email">, at: number): Statement {
  return db
    .update(users)
    .set({ emailVerifiedAt: at, updatedAt: at })
    .where(and(eq(users.id, user.id), eq(users.email, user.email)));
}
