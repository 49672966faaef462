/** Every statement of administration and support about people and prompts. */
import { and, asc, count, desc, eq, inArray, isNotNull, isNull, lt, ne, or, type SQL, sql } from "drizzle-orm";
import type { GlobalRole } from "#core/access";
import type { Ctx, Database } from "#core/context";
import type { Statement } from "#core/job";
import type { LimitOverrides } from "#core/plans";
import { type UserRow, users } from "#features/accounts/tables";
import { apiKeys } from "#features/api-keys/tables";
import { workspaces } from "#features/workspaces/tables";
import { systemPrompts, type SystemPromptRow } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

/** A person with the personal workspace, which a sub-user has not. */
export interface PersonRow {
  user: UserRow;
  workspace: Pick<typeof workspaces.$inferSelect, "id" | "plan" | "limitOverrides"> | null;
}

const personColumns = {
  user: users,
  workspace: { id: workspaces.id, plan: workspaces.plan, limitOverrides: workspaces.limitOverrides },
};
/** A personal workspace has the person's suffix (`personalWorkspaceId`). */
const personalWorkspace = and(
  eq(workspaces.id, sql`'wks_' || substr(${users.id}, 5)`),
  eq(workspaces.kind, "personal"),
  isNull(workspaces.deletedAt),
);

export interface PeopleFilter {
  like: string | null;
  userType?: "Personal" | "Business" | undefined;
  isActive?: boolean | undefined;
  isVerified?: boolean | undefined;
  roles?: readonly GlobalRole[] | undefined;
}

function matching({ like, userType, isActive, isVerified, roles }: PeopleFilter): SQL | undefined {
  const contains = (column: typeof users.name | typeof users.email | typeof users.username) =>
    sql`${column} like ${like} escape '\\'`;
  return and(
    ne(users.status, "deleted"),
    like === null ? undefined : or(contains(users.name), contains(users.email), contains(users.username)),
    userType === undefined ? undefined : eq(users.userType, userType),
    isActive === undefined ? undefined : eq(users.status, isActive ? "active" : "suspended"),
    isVerified === undefined
      ? undefined
      : isVerified
        ? isNotNull(users.emailVerifiedAt)
        : isNull(users.emailVerifiedAt),
    roles === undefined ? undefined : inArray(users.role, [...roles]),
  );
}

/** Newest first. `skip` is for older clients that ask by the number of a page. */
export async function listPeople(
  db: Database,
  filter: PeopleFilter,
  place: { before: string | null; rows: number; skip: number },
): Promise<PersonRow[]> {
  return db
    .select(personColumns)
    .from(users)
    .leftJoin(workspaces, personalWorkspace)
    .where(and(matching(filter), place.before === null ? undefined : lt(users.id, place.before)))
    .orderBy(desc(users.id))
    .limit(place.rows)
    .offset(place.skip);
}

export async function countPeople(db: Database, filter: PeopleFilter): Promise<number> {
  const [row] = await db.select({ people: count() }).from(users).where(matching(filter));
  return row?.people ?? 0;
}

export async function findPerson(db: Database, id: string): Promise<PersonRow | null> {
  const [row] = await db
    .select(personColumns)
    .from(users)
    .leftJoin(workspaces, personalWorkspace)
    .where(and(eq(users.id, id), ne(users.status, "deleted")));
  return row ?? null;
}

export async function countKeysOfUser(db: Database, userId: string): Promise<number> {
  const [row] = await db
    .select({ keys: count() })
    .from(apiKeys)
    .where(and(eq(apiKeys.userId, userId), isNull(apiKeys.deletedAt)));
  return row?.keys ?? 0;
}

type Change = Partial<Omit<typeof users.$inferInsert, "id" | "passwordPhc" | "updatedAt" | "createdAt">>;

/**
 * Changes a person whose role is still one of those given. Otherwise the whole batch rolls back (`isOvertaken`): the role was read before,
 * and somebody may have raised it in between.
 */
export function changePerson(ctx: Ctx, id: string, given: { change: Change; roles: readonly GlobalRole[] }): Statement {
  const { change, roles } = given;
  const isStillBelow = and(inArray(users.role, [...roles]), ne(users.status, "deleted"));
  return ctx.db
    .update(users)
    .set({ ...change, updatedAt: sql`case when ${isStillBelow} then ${ctx.now()} end` })
    .where(eq(users.id, id));
}

/** As above, and never when it would leave the product without an active superadmin. */
export function changeAdmin(ctx: Ctx, id: string, change: Change): Statement {
  const others = sql`(select count(*) from users others where others.role = 'superadmin' and others.status = 'active' and others.id <> ${id})`;
  return ctx.db
    .update(users)
    .set({ ...change, updatedAt: sql`case when ${users.role} <> 'superadmin' or ${others} > 0 then ${ctx.now()} end` })
    .where(eq(users.id, id));
}

export function isOvertaken(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("NOT NULL constraint failed: users.updated_at"));
}

export function changeLimits(db: Database, workspaceId: string, limitOverrides: LimitOverrides): Statement {
  return db.update(workspaces).set({ limitOverrides }).where(eq(workspaces.id, workspaceId));
}

/** The newest version of each style. */
export async function newestPrompts(db: Database): Promise<SystemPromptRow[]> {
  const newest = db
    .select({ style: systemPrompts.style, version: sql<number>`max(${systemPrompts.version})`.as("newest") })
    .from(systemPrompts)
    .groupBy(systemPrompts.style)
    .as("newest");
  return db
    .select({
      style: systemPrompts.style,
      version: systemPrompts.version,
      prompt: systemPrompts.prompt,
      changedBy: systemPrompts.changedBy,
      createdAt: systemPrompts.createdAt,
    })
    .from(systemPrompts)
    .innerJoin(newest, and(eq(newest.style, systemPrompts.style), eq(newest.version, systemPrompts.version)))
    .orderBy(asc(systemPrompts.style))
    .limit(20);
}

/** The versions of one style, newest first, at most 50. */
export async function promptVersions(db: Database, style: string): Promise<SystemPromptRow[]> {
  return db
    .select()
    .from(systemPrompts)
    .where(eq(systemPrompts.style, style))
    .orderBy(desc(systemPrompts.version))
    .limit(50);
}

/** The next version, whatever it is when the statement runs: two changes at once are two versions. */
export function addPrompt(ctx: Ctx, row: { style: string; prompt: string; changedBy: string }): Statement {
  const next = sql<number>`(select coalesce(max(version), 0) + 1 from system_prompts where style = ${row.style})`;
  return ctx.db.insert(systemPrompts).values({ ...row, version: next, createdAt: ctx.now() });
}
