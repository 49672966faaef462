/** Every statement about encryption keys and data keys. All but those of the master rotation filter by workspace. */
import { and, asc, count, desc, eq, exists, gt, inArray, isNull, lt, max, ne, or, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import { users } from "#features/accounts/tables";
import type { Asker, KeyType, PersonNames } from "./rules.ts";
import { dataKeys, encryptionKeys, type EncryptionKeyRow } from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

type Db = { db: Database };
type InWorkspace = Db & { workspaceId: string };
type Timed = InWorkspace & { now(): number };

const inWorkspace = (ctx: InWorkspace, id: string) =>
  and(eq(encryptionKeys.id, id), eq(encryptionKeys.workspaceId, ctx.workspaceId));

export function insertKey(ctx: Db, row: EncryptionKeyRow): Statement {
  return ctx.db.insert(encryptionKeys).values(row);
}

/** Whether a unique index refused a key: another request made it first. SQLite tells by words only. */
export function isTaken(error: unknown): boolean {
  return messagesOf(error).some((message) =>
    message.includes("UNIQUE constraint failed: encryption_keys.workspace_id"),
  );
}

export async function findKey(ctx: InWorkspace, id: string): Promise<EncryptionKeyRow | null> {
  const [row] = await ctx.db.select().from(encryptionKeys).where(inWorkspace(ctx, id));
  return row ?? null;
}

/** The one key that new data keys of this person are wrapped by. */
export async function findActiveUserKeyOf(ctx: InWorkspace, userId: string): Promise<EncryptionKeyRow | null> {
  const [row] = await ctx.db
    .select()
    .from(encryptionKeys)
    .where(
      and(
        eq(encryptionKeys.workspaceId, ctx.workspaceId),
        eq(encryptionKeys.userId, userId),
        eq(encryptionKeys.keyType, "user"),
        eq(encryptionKeys.state, "active"),
      ),
    );
  return row ?? null;
}

/** A person's user keys are numbered without gaps, and the active one is always the last. */
export async function findUserKeyOfVersion(
  ctx: InWorkspace,
  userId: string,
  version: number,
): Promise<EncryptionKeyRow | null> {
  const [row] = await ctx.db
    .select()
    .from(encryptionKeys)
    .where(
      and(
        eq(encryptionKeys.workspaceId, ctx.workspaceId),
        eq(encryptionKeys.userId, userId),
        eq(encryptionKeys.keyType, "user"),
        eq(encryptionKeys.version, version),
      ),
    );
  return row ?? null;
}

export async function findActiveSessionKey(ctx: InWorkspace, sessionId: string): Promise<EncryptionKeyRow | null> {
  const [row] = await ctx.db
    .select()
    .from(encryptionKeys)
    .where(
      and(
        eq(encryptionKeys.workspaceId, ctx.workspaceId),
        eq(encryptionKeys.sessionId, sessionId),
        eq(encryptionKeys.keyType, "session"),
        eq(encryptionKeys.state, "active"),
      ),
    );
  return row ?? null;
}

/** The highest version of a person's keys of one type; 0 when there is none. */
export async function lastVersion(ctx: InWorkspace, userId: string, keyType: KeyType): Promise<number> {
  const [row] = await ctx.db
    .select({ version: max(encryptionKeys.version) })
    .from(encryptionKeys)
    .where(
      and(
        eq(encryptionKeys.workspaceId, ctx.workspaceId),
        eq(encryptionKeys.userId, userId),
        eq(encryptionKeys.keyType, keyType),
      ),
    );
  return row?.version ?? 0;
}

interface KeyFilter {
  asker: Asker;
  ownOnly: boolean;
  keyType: KeyType | null;
  before: string | null;
  limit: number;
}

/** Newest first; the same keys as `maySee` allows. */
export async function listKeys(ctx: InWorkspace, filter: KeyFilter): Promise<EncryptionKeyRow[]> {
  const own = eq(encryptionKeys.userId, filter.asker.userId);
  const others = filter.asker.isAdmin ? ne(encryptionKeys.keyType, "session") : eq(encryptionKeys.keyType, "master");
  return ctx.db
    .select()
    .from(encryptionKeys)
    .where(
      and(
        eq(encryptionKeys.workspaceId, ctx.workspaceId),
        filter.ownOnly ? own : or(own, others),
        filter.keyType ? eq(encryptionKeys.keyType, filter.keyType) : undefined,
        filter.before ? lt(encryptionKeys.id, filter.before) : undefined,
      ),
    )
    .orderBy(desc(encryptionKeys.id))
    .limit(filter.limit);
}

const livingImports = (ctx: InWorkspace) =>
  and(
    eq(encryptionKeys.workspaceId, ctx.workspaceId),
    eq(encryptionKeys.keyType, "master"),
    ne(encryptionKeys.state, "deactivated"),
  );

/** Newest first. `externalUserId` null: those of every user id. */
export async function listImports(
  ctx: InWorkspace,
  externalUserId: string | null,
  limit: number,
): Promise<EncryptionKeyRow[]> {
  return ctx.db
    .select()
    .from(encryptionKeys)
    .where(
      and(livingImports(ctx), externalUserId === null ? undefined : eq(encryptionKeys.externalUserId, externalUserId)),
    )
    .orderBy(desc(encryptionKeys.id))
    .limit(limit);
}

export async function countImports(ctx: InWorkspace): Promise<number> {
  const [row] = await ctx.db.select({ keys: count() }).from(encryptionKeys).where(livingImports(ctx));
  return row?.keys ?? 0;
}

export async function findImport(
  ctx: InWorkspace,
  key: { externalUserId: string; fingerprint: string },
): Promise<EncryptionKeyRow | null> {
  const [row] = await ctx.db
    .select()
    .from(encryptionKeys)
    .where(
      and(
        livingImports(ctx),
        eq(encryptionKeys.externalUserId, key.externalUserId),
        eq(encryptionKeys.fingerprint, key.fingerprint),
      ),
    );
  return row ?? null;
}

export function retireKey(ctx: Timed, id: string): Statement {
  return ctx.db
    .update(encryptionKeys)
    .set({ state: "retired", rotatedAt: ctx.now() })
    .where(and(inWorkspace(ctx, id), eq(encryptionKeys.state, "active")));
}

/** Keeps the time of the first deactivation. */
export function deactivateKeys(ctx: Timed, ids: string[]): Statement {
  return ctx.db
    .update(encryptionKeys)
    .set({ state: "deactivated", deactivatedAt: ctx.now() })
    .where(
      and(
        eq(encryptionKeys.workspaceId, ctx.workspaceId),
        inArray(encryptionKeys.id, ids),
        ne(encryptionKeys.state, "deactivated"),
      ),
    );
}

/** Fails the batch (`isMoving`) while data keys are on their way from this retired key to the one that followed it. */
export function deactivateUnlessMoving(ctx: Timed, id: string): Statement {
  const isHeld = sql`${encryptionKeys.state} = 'retired' and ${exists(livingOf(ctx))} and ${exists(successorOf(ctx))}`;
  return ctx.db
    .update(encryptionKeys)
    .set({ state: sql`case when ${isHeld} then null else 'deactivated' end`, deactivatedAt: ctx.now() })
    .where(and(inWorkspace(ctx, id), ne(encryptionKeys.state, "deactivated")));
}

export function isMoving(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("NOT NULL constraint failed: encryption_keys.state"));
}

/** The data keys that the key of the outer statement wraps. */
function livingOf(ctx: Db) {
  return ctx.db
    .select({ id: dataKeys.id })
    .from(dataKeys)
    .where(and(eq(dataKeys.encryptionKeyId, encryptionKeys.id), isNull(dataKeys.destroyedAt)));
}

/** The active user key of the person whose key the outer statement looks at. */
function successorOf(ctx: Db) {
  const successor = alias(encryptionKeys, "successor");
  return ctx.db
    .select({ id: successor.id })
    .from(successor)
    .where(
      and(
        eq(successor.workspaceId, encryptionKeys.workspaceId),
        eq(successor.userId, encryptionKeys.userId),
        eq(successor.keyType, "user"),
        eq(successor.state, "active"),
      ),
    );
}

export async function findPersonNames(ctx: Db, userId: string): Promise<PersonNames | null> {
  const [row] = await ctx.db
    .select({ email: users.email, username: users.username })
    .from(users)
    .where(eq(users.id, userId));
  return row ? { userId, ...row } : null;
}

/** Every key that an older or other master key wraps; an `or` of two ranges, because the index serves ranges and not `<>`. */
const stale = (currentVersion: number) =>
  or(lt(encryptionKeys.masterVersion, currentVersion), gt(encryptionKeys.masterVersion, currentVersion));

export async function countStale(ctx: Db, currentVersion: number): Promise<number> {
  const [row] = await ctx.db.select({ keys: count() }).from(encryptionKeys).where(stale(currentVersion));
  return row?.keys ?? 0;
}

/** For the master rotation only, which acts for the deployment and not in a workspace. */
export async function listStale(
  ctx: Db,
  page: { currentVersion: number; after: string; limit: number },
): Promise<EncryptionKeyRow[]> {
  return ctx.db
    .select()
    .from(encryptionKeys)
    .where(and(stale(page.currentVersion), gt(encryptionKeys.id, page.after)))
    .orderBy(asc(encryptionKeys.id))
    .limit(page.limit);
}

interface Rewrapped {
  id: string;
  /** The bytes that were unwrapped: a row that changed since is left alone. */
  from: string;
  wrappedKey: string;
}

/** One statement for a whole page, because the platform counts statements. */
const pageRows = (rows: readonly object[]) => sql`json_each(${JSON.stringify(rows)}) as page`;
const ofPage = (member: "id" | "from" | "wrappedKey") => sql<string>`page.value ->> ${sql.raw(`'${member}'`)}`;

export function rewrapKeys(ctx: Db, page: Rewrapped[], masterVersion: number): Statement {
  return ctx.db
    .update(encryptionKeys)
    .set({ wrappedKey: ofPage("wrappedKey"), masterVersion })
    .from(pageRows(page))
    .where(and(eq(encryptionKeys.id, ofPage("id")), eq(encryptionKeys.wrappedKey, ofPage("from"))));
}

/** Fails the batch (`isHolderGone`) when the key that wraps it was switched off since: else nothing would ever open what is sealed with it. */
export function insertDataKey(ctx: Db, row: typeof dataKeys.$inferInsert): Statement {
  const holder = ctx.db
    .select({ id: encryptionKeys.id })
    .from(encryptionKeys)
    .where(
      and(
        eq(encryptionKeys.id, row.encryptionKeyId),
        eq(encryptionKeys.workspaceId, row.workspaceId),
        ne(encryptionKeys.state, "deactivated"),
      ),
    );
  return ctx.db.insert(dataKeys).values({ ...row, encryptionKeyId: sql`(${holder})` });
}

export function isHolderGone(error: unknown): boolean {
  return messagesOf(error).some((message) =>
    message.includes("NOT NULL constraint failed: data_keys.encryption_key_id"),
  );
}

/** A data key with the key that wraps it, in one read: a rotation between two reads would pair the wrong ones. */
export async function findDataKey(ctx: InWorkspace, id: string) {
  const [row] = await ctx.db
    .select({ dataKey: dataKeys, holder: encryptionKeys })
    .from(dataKeys)
    .innerJoin(
      encryptionKeys,
      and(eq(encryptionKeys.id, dataKeys.encryptionKeyId), eq(encryptionKeys.workspaceId, dataKeys.workspaceId)),
    )
    .where(and(eq(dataKeys.id, id), eq(dataKeys.workspaceId, ctx.workspaceId)));
  return row ?? null;
}

export function destroyKeysOf(ctx: Timed, conversionId: string): Statement {
  return ctx.db
    .update(dataKeys)
    .set({ wrappedKey: "", destroyedAt: ctx.now() })
    .where(
      and(
        eq(dataKeys.workspaceId, ctx.workspaceId),
        eq(dataKeys.conversionId, conversionId),
        isNull(dataKeys.destroyedAt),
      ),
    );
}

/** All keys of a workspace that ended: nothing it sealed can ever be opened again. */
export function destroyAllKeys(ctx: Timed): Statement[] {
  const at = ctx.now();
  return [
    ctx.db
      .update(dataKeys)
      .set({ wrappedKey: "", destroyedAt: at })
      .where(and(eq(dataKeys.workspaceId, ctx.workspaceId), isNull(dataKeys.destroyedAt))),
    ctx.db.delete(encryptionKeys).where(eq(encryptionKeys.workspaceId, ctx.workspaceId)),
  ];
}

const livingUnder = (ctx: InWorkspace, encryptionKeyId: string) =>
  and(
    eq(dataKeys.encryptionKeyId, encryptionKeyId),
    eq(dataKeys.workspaceId, ctx.workspaceId),
    isNull(dataKeys.destroyedAt),
  );

export async function countDataKeysUnder(ctx: InWorkspace, encryptionKeyId: string): Promise<number> {
  const [row] = await ctx.db.select({ keys: count() }).from(dataKeys).where(livingUnder(ctx, encryptionKeyId));
  return row?.keys ?? 0;
}

export async function listDataKeysUnder(
  ctx: InWorkspace,
  page: { encryptionKeyId: string; after: string; limit: number },
): Promise<{ id: string; wrappedKey: string }[]> {
  return ctx.db
    .select({ id: dataKeys.id, wrappedKey: dataKeys.wrappedKey })
    .from(dataKeys)
    .where(and(livingUnder(ctx, page.encryptionKeyId), gt(dataKeys.id, page.after)))
    .orderBy(asc(dataKeys.id))
    .limit(page.limit);
}

/**
 * Moves data keys from one encryption key to another. Conditional, so that a key destroyed meanwhile stays destroyed, a second run
 * changes nothing, and nothing moves to a key that is no longer the active one.
 */
export function moveDataKeys(
  ctx: InWorkspace,
  page: { id: string; wrappedKey: string }[],
  between: { from: string; to: string },
): Statement {
  const active = ctx.db
    .select({ id: encryptionKeys.id })
    .from(encryptionKeys)
    .where(and(inWorkspace(ctx, between.to), eq(encryptionKeys.state, "active")));
  return ctx.db
    .update(dataKeys)
    .set({ wrappedKey: ofPage("wrappedKey"), encryptionKeyId: between.to })
    .from(pageRows(page))
    .where(and(eq(dataKeys.id, ofPage("id")), livingUnder(ctx, between.from), exists(active)));
}

/** Retired user keys that still wrap data keys although a successor is active: what came while the rotation's job ran. */
export async function listUnfinishedRotations(ctx: Db, limit: number): Promise<{ id: string; workspaceId: string }[]> {
  // Literal, because SQLite does not use a partial index for a bound parameter.
  return ctx.db
    .select({ id: encryptionKeys.id, workspaceId: encryptionKeys.workspaceId })
    .from(encryptionKeys)
    .where(and(sql`encryption_keys.state = 'retired'`, exists(livingOf(ctx)), exists(successorOf(ctx))))
    .limit(limit);
}
