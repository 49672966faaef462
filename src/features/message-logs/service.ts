/** The log of model requests: one way in for the gateway and the queue, and what people and staff do with what is kept. */
import { mayDo, type Permission } from "#core/access";
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { makeId } from "#core/ids";
import { leastLevel, type LogLevel, type MessageEntry, readLogLevel } from "#core/message-log";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { isTestMode } from "#core/test-mode";
import { findById } from "#features/accounts/store";
import { contentsOf } from "./contents.ts";
import { gather, giveBack, takeHeld } from "./gather.ts";
import type { OwnLogQuery } from "./shapes.ts";
import * as store from "./store.ts";
import type { MessageLogRow } from "./tables.ts";

const rowsEach = 10_000;
const maxPages = 200;
const dayMs = 24 * 3_600_000;
/** Longer than a message stays in a queue (Cloudflare: at most 14 days). */
const erasureMs = 15 * dayMs;

/**
 * How much is kept of a request: the least of what the deployer (`MESSAGE_LOG`), the workspace (`settings.messageLog`), the header `X-Overtone-Log` and
 * OpenAI's `store` (false: no contents) say. Throws for a header with another word.
 */
export function levelOf(ctx: WorkspaceCtx, wish: { request: Request; store?: unknown }): LogLevel {
  const said = wish.request.headers.get("x-overtone-log");
  const header = said === null ? "contents" : readLogLevel(said);
  if (header === null)
    throw new Problem("validation-failed", { detail: "X-Overtone-Log is off, metadata or contents." });
  const stored = wish.store === false ? "metadata" : "contents";
  return leastLevel(ctx.settings.messageLog, ctx.messageLog ?? "metadata", header, stored);
}

type Measured = Omit<
  MessageEntry,
  "id" | "workspaceId" | "userId" | "keyId" | "mode" | "requestId" | "address" | "at" | "messages"
>;

/** A request that is over. */
export interface LoggedRequest extends Measured {
  level: LogLevel;
  /** Asked for where contents are kept, and not before. */
  said(): { request: unknown; response: string | null };
}

/** Costs the request nothing that it would wait for: contents are made fit, and everything is written, behind the answer. */
export function logRequest(ctx: WorkspaceCtx, { level, said, ...measured }: LoggedRequest): void {
  if (level === "off") return;
  const { actor } = ctx;
  const at = ctx.now();
  const entry: MessageEntry = {
    ...measured,
    // Never a function of an idempotency key: a repeated run is a request of its own.
    id: makeId("message", at, ctx.random(16)),
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    keyId: actor.kind === "api-key" ? actor.keyId : null,
    mode: isTestMode(ctx) ? "test" : "live",
    requestId: ctx.requestId,
    address: ctx.origin.address || null,
    messages: "{}",
    at,
  };
  if (level === "metadata") return gather(ctx, entry);
  ctx.later(
    scheduler.wait(0).then(() => {
      const { request, response } = said();
      gather(ctx, { ...entry, messages: contentsOf(request, response) });
    }),
  );
}

/** However often an entry arrives, it is written once. */
export async function writeEntries(ctx: Pick<Ctx, "db">, entries: readonly MessageEntry[]): Promise<void> {
  if (entries.length > 0) await store.insertEntries(ctx.db, entries);
}

/** Whoever asks sees what this very isolate served a moment ago. */
async function writeHeld(ctx: Pick<Ctx, "db">): Promise<void> {
  const held = takeHeld();
  try {
    await writeEntries(ctx, held);
  } catch (error) {
    giveBack(held);
    throw error;
  }
}

const placeOf = (query: PageQuery) => ({ before: readCursor(query), rows: query.limit + 1 });

/** The caller's own, or for who may see the workspace's reports everybody's, of which contents and addresses are theirs alone. */
export async function ownLogPage(ctx: WorkspaceCtx, query: OwnLogQuery) {
  const { of, userId, ...filter } = query;
  if (of === "workspace") requirePermission(ctx, "usage:report");
  const whose = of === "workspace" ? userId : ctx.userId;
  await writeHeld(ctx);
  const rows = await store.listEntries(ctx, { ...filter, userId: whose }, placeOf(query));
  return toPage(rows, query.limit, (row) => {
    const isOwn = row.userId === ctx.userId;
    return {
      ...toEntry(row),
      address: isOwn ? row.address : null,
      messages: isOwn && row.messages !== "{}" ? contentsIn(row) : null,
    };
  });
}

function requirePermission({ actor }: WorkspaceCtx, permission: Permission): void {
  const may =
    actor.kind === "user" ? mayDo(actor, permission) : actor.kind === "api-key" && actor.scopes.includes(permission);
  if (!may) throw new Problem("permission-denied", { members: { requiredPermission: permission } });
}

/** Of the caller, in this workspace, from `from` on and before `to`: for good. Answers how many it were. */
export async function eraseOwn(
  ctx: WorkspaceCtx,
  { from = 0, to }: { from?: number | undefined; to?: number | undefined },
) {
  await writeHeld(ctx);
  const at = ctx.now();
  const range = { userId: ctx.userId, from, to: to ?? at + 1 };
  const erasure = {
    id: makeId("message", at, ctx.random(16)),
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    testOnly: isTestMode(ctx),
    fromAt: range.from,
    toAt: range.to,
    createdAt: at,
  };
  const shown = { from: new Date(range.from).toISOString(), to: new Date(range.to).toISOString() };
  const details = { ...shown, entries: await store.countEntries(ctx, range) };
  const entry = auditEntry(ctx, "message-log.erased", { target: ctx.userId, category: "account", details });
  await ctx.db.batch([store.insertErasure(ctx.db, erasure), entry]);
  const deleted = await inPages((limit) => store.eraseEntries(ctx, range, limit));
  return { success: true as const, deleted };
}

/** One statement may last 30 s (D1): what is much goes in parts. */
async function inPages(erase: (limit: number) => Promise<number>): Promise<number> {
  let erased = 0;
  for (let page = 0; page < maxPages; page += 1) {
    const some = await erase(rowsEach);
    erased += some;
    if (some < rowsEach) break;
  }
  return erased;
}

/** Forgets what was kept as long as the settings say. */
export async function purgeOld(ctx: Ctx): Promise<void> {
  await inPages((limit) => store.purgeEntries(ctx.db, ctx.now() - ctx.settings.retentionDays.logs * dayMs, limit));
  await ctx.db.batch([store.purgeErasures(ctx.db, ctx.now() - erasureMs)]);
}

/** What a person asked of models. Reading somebody's messages is an act of its own, so it is recorded. */
export async function staffLogPage(ctx: WorkspaceCtx, userId: string, query: PageQuery) {
  if (!(await findById(ctx.db, userId))) throw new Problem("user-not-found");
  await writeHeld(ctx);
  const rows = await store.listEntriesOf(ctx.db, userId, placeOf(query));
  const { workspaceId: _, ...staff } = ctx;
  await ctx.db.batch([
    auditEntry(staff, "staff.messages-read", {
      target: userId,
      severity: "warning",
      details: { messages: Math.min(rows.length, query.limit) },
    }),
  ]);
  return toPage(rows, query.limit, (row) => ({
    ...toEntry(row),
    username: row.username,
    email: row.email,
    rType: row.promptStyle,
    researchEnabled: row.researchEnabled,
    processingTimeMs: row.processingTimeMs,
    address: row.address,
    messages: contentsIn(row) as unknown,
  }));
}

interface Contents {
  request: unknown;
  response: string | null;
  isCut: boolean;
}

const contentsIn = (row: MessageLogRow) => JSON.parse(row.messages) as Contents;

function toEntry(row: MessageLogRow) {
  return {
    id: row.id,
    at: new Date(row.at).toISOString(),
    userId: row.userId,
    keyId: row.keyId,
    mode: row.mode,
    operation: row.operation,
    model: row.model,
    provider: row.provider === "" ? null : row.provider,
    status: row.status,
    httpStatus: row.httpStatus,
    errorCode: row.errorCode,
    isStream: row.isStream,
    isCached: row.isCached,
    inputTokens: row.inputTokens,
    cachedInputTokens: row.cachedInputTokens,
    outputTokens: row.outputTokens,
    tokensUsed: row.tokensUsed,
    isEstimated: row.isEstimated,
    costMicroUsd: row.costMicroUsd,
    currency: "usd" as const,
    durationMs: row.processingTimeMs,
    promptStyle: row.promptStyle,
    isResearched: row.researchEnabled,
    requestId: row.requestId,
  };
}
