/** Every statement about people. */
import { and, eq, ne, sql } from "drizzle-orm";
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
