/** Every statement about the message log. */
import { and, count, desc, eq, gte, inArray, lt, type SQL, sql } from "drizzle-orm";
import type { Database, WorkspaceCtx } from "#core/context";
import type { MessageEntry, RequestStatus } from "#core/message-log";
import { isTestMode } from "#core/test-mode";
import type { Statement } from "#core/work";
import { messageLogErasures, messageLogs, type MessageLogRow } from "./tables.ts";

const member = (name: keyof MessageEntry): SQL => sql`entry.value ->> ${sql.raw(`'${name}'`)}`;

/** Each column, and where it comes from: the entry, or the person as they are when it is written. */
const columns: Readonly<Record<string, SQL>> = {
  id: member("id"),
  workspace_id: member("workspaceId"),
  user_id: member("userId"),
  username: sql`u.username`,
  email: sql`u.email`,
  provider: member("provider"),
  model: member("model"),
  messages: member("messages"),
  research_enabled: member("isResearched"),
  prompt_style: member("promptStyle"),
  tokens_used: sql`${member("inputTokens")} + ${member("outputTokens")}`,
  cost_micro_usd: member("costMicroUsd"),
  processing_time_ms: member("durationMs"),
  address: member("address"),
  at: member("at"),
  operation: member("operation"),
  mode: member("mode"),
  key_id: member("keyId"),
  status: member("status"),
  http_status: member("httpStatus"),
  error_code: member("errorCode"),
  is_stream: member("isStream"),
  is_cached: member("isCached"),
  input_tokens: member("inputTokens"),
  cached_input_tokens: member("cachedInputTokens"),
  output_tokens: member("outputTokens"),
  is_estimated: member("isEstimated"),
  request_id: member("requestId"),
};
const columnNames = sql.raw(Object.keys(columns).join(", "));
const columnValues = sql.join(Object.values(columns), sql`, `);

/** An entry that is there stays as it is. One of a person who is gone, or of a time that the person erased, is not written. */
export async function insertEntries(db: Database, entries: readonly MessageEntry[]): Promise<void> {
  await db.run(sql`
    insert into message_logs (${columnNames})
    select ${columnValues} from json_each(${JSON.stringify(entries)}) entry
    join users u on u.id = ${member("userId")} and u.status <> 'deleted'
    where not exists (
      select 1 from message_log_erasures e
      where e.user_id = ${member("userId")} and e.workspace_id = ${member("workspaceId")}
        and ${member("at")} >= e.from_at and ${member("at")} < e.to_at
        and (e.test_only = 0 or ${member("mode")} = 'test'))
    on conflict (id) do nothing`);
}

export interface Filter {
  model?: string | undefined;
  status?: RequestStatus | undefined;
  operation?: string | undefined;
  keyId?: string | undefined;
  userId?: string | undefined;
  /** From this time on. */
  from?: number | undefined;
  /** Before this time. */
  to?: number | undefined;
}

function matching(ctx: WorkspaceCtx, { model, status, operation, keyId, userId, from, to }: Filter): SQL | undefined {
  const equal = { model, status, operation, keyId, userId };
  return and(
    eq(messageLogs.workspaceId, ctx.workspaceId),
    // A key for tests knows of tests only.
    isTestMode(ctx) ? eq(messageLogs.mode, "test") : undefined,
    ...Object.entries(equal)
      .filter((entry): entry is [keyof typeof equal, string] => entry[1] !== undefined)
      .map(([name, value]) => eq(messageLogs[name], value)),
    from === undefined ? undefined : gte(messageLogs.at, from),
    to === undefined ? undefined : lt(messageLogs.at, to),
  );
}

/** Where a page starts, and how many rows it asks for. */
export interface Place {
  before: string | null;
  rows: number;
}

export async function listEntries(ctx: WorkspaceCtx, filter: Filter, place: Place): Promise<MessageLogRow[]> {
  return ctx.db
    .select()
    .from(messageLogs)
    .where(and(matching(ctx, filter), place.before === null ? undefined : lt(messageLogs.id, place.before)))
    .orderBy(desc(messageLogs.id))
    .limit(place.rows);
}

/** Of a person, wherever it was. */
export async function listEntriesOf(db: Database, userId: string, place: Place): Promise<MessageLogRow[]> {
  return db
    .select()
    .from(messageLogs)
    .where(and(eq(messageLogs.userId, userId), place.before === null ? undefined : lt(messageLogs.id, place.before)))
    .orderBy(desc(messageLogs.id))
    .limit(place.rows);
}

export async function countEntries(ctx: WorkspaceCtx, filter: Filter): Promise<number> {
  const [row] = await ctx.db.select({ entries: count() }).from(messageLogs).where(matching(ctx, filter));
  return row?.entries ?? 0;
}

export function insertErasure(db: Database, row: typeof messageLogErasures.$inferInsert): Statement {
  return db.insert(messageLogErasures).values(row);
}

/** At most `limit` of them; answers how many it were. */
export async function eraseEntries(ctx: WorkspaceCtx, filter: Filter, limit: number): Promise<number> {
  const some = ctx.db.select({ id: messageLogs.id }).from(messageLogs).where(matching(ctx, filter)).limit(limit);
  const { meta } = await ctx.db.delete(messageLogs).where(inArray(messageLogs.id, some)).run();
  return meta.changes;
}

export async function purgeEntries(db: Database, before: number, limit: number): Promise<number> {
  const some = db.select({ id: messageLogs.id }).from(messageLogs).where(lt(messageLogs.at, before)).limit(limit);
  const { meta } = await db.delete(messageLogs).where(inArray(messageLogs.id, some)).run();
  return meta.changes;
}

export function purgeErasures(db: Database, before: number): Statement {
  return db.delete(messageLogErasures).where(lt(messageLogErasures.createdAt, before));
}

/** Everything of a workspace, for its purge. */
export function eraseAllEntries(ctx: { db: Database; workspaceId: string }): [Statement, Statement] {
  const { db, workspaceId } = ctx;
  return [
    db.delete(messageLogs).where(eq(messageLogs.workspaceId, workspaceId)),
    db.delete(messageLogErasures).where(eq(messageLogErasures.workspaceId, workspaceId)),
  ];
}
