/** Making, listing, changing and deleting API keys. The check on the request path is check.ts. */
import { type Permission, permissionNames, permissions, mayDo } from "#core/access";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { readCursor, toPage, type PageQuery } from "#core/page";
import { Problem } from "#core/problem";
import { type KeyMode, makeKey } from "./key-format.ts";
import { countKeys, findKey, insertKey, listKeys, updateKey } from "./store.ts";
import type { ApiKeyRow } from "./tables.ts";

export { mintSessionKey, purgeSessionKeys } from "./session-keys.ts";
export { deleteKeysOfUser } from "./store.ts";

const maxKeys = 100;
const dayMs = 86_400_000;

export function toApiKey(row: ApiKeyRow) {
  const { id, name, mode, start, scopes, enabled } = row;
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id,
    name,
    mode,
    start,
    scopes,
    enabled,
    expiresAt: iso(row.expiresAt),
    lastUsedAt: iso(row.lastUsedAt),
    createdAt: new Date(row.createdAt).toISOString(),
  };
}

interface NewKey {
  name: string;
  scopes?: Permission[] | undefined;
  mode?: KeyMode | undefined;
  expiresInDays?: number | undefined;
}

export async function createKey(ctx: WorkspaceCtx, given: NewKey) {
  const most = ctx.subUser?.limits.max_api_keys ?? maxKeys;
  if ((await countKeys(ctx)) >= most)
    throw new Problem("api-key-limit-reached", {
      detail: ctx.subUser ? `At most ${most} keys for you.` : `At most ${most} keys a workspace.`,
    });
  const scopes =
    given.scopes ?? permissionNames.filter((name) => mayGrant(ctx, name) && !("fresh" in permissions[name]));
  refuseEscalation(ctx, scopes);
  const mode = modeOf(ctx, given.mode);
  const made = makeKey(ctx.settings.masterKeys[0], mode, { id: ctx.newId("apiKey"), secret: ctx.random(24) });
  const row: ApiKeyRow = {
    id: made.id,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    sessionId: null,
    name: given.name,
    mode,
    start: made.text.slice(0, 13),
    hash: made.hash,
    scopes,
    enabled: true,
    expiresAt: await endOf(ctx, given.expiresInDays),
    lastUsedAt: null,
    createdAt: ctx.now(),
    deletedAt: null,
  };
  await ctx.db.batch([
    insertKey(ctx, row),
    auditEntry(ctx, "api-key.created", { target: row.id, details: { name: row.name, scopes } }),
  ]);
  return { ...toApiKey(row), key: made.text };
}

/** Nobody hands out what they may not do themselves. */
function mayGrant(ctx: WorkspaceCtx, permission: Permission): boolean {
  if (ctx.actor.kind === "user") return mayDo(ctx.actor, permission);
  return ctx.actor.kind === "api-key" && ctx.actor.scopes.includes(permission);
}

function refuseEscalation(ctx: WorkspaceCtx, scopes: readonly Permission[]): void {
  const beyond = scopes.filter((scope) => !mayGrant(ctx, scope));
  if (beyond.length > 0)
    throw new Problem("scope-not-grantable", {
      detail: `Not yours to grant: ${beyond.join(", ")}.`,
      members: { scopes: beyond },
    });
}

/** A key for tests makes such keys only: its calls are free and must not turn into live ones. */
function modeOf(ctx: WorkspaceCtx, wanted: KeyMode | undefined): KeyMode {
  if (!isForTests(ctx)) return wanted ?? "live";
  if (wanted === "live")
    throw new Problem("scope-not-grantable", { detail: "A key for tests makes keys for tests only." });
  return "test";
}

function isForTests({ actor }: WorkspaceCtx): boolean {
  return actor.kind === "api-key" && actor.mode === "test";
}

/** A key ends with the key that made it: what was lent for a day does not stay by making another. */
async function endOf(ctx: WorkspaceCtx, expiresInDays: number | undefined): Promise<number | null> {
  const wanted = expiresInDays === undefined ? null : ctx.now() + expiresInDays * dayMs;
  const latest = ctx.actor.kind === "api-key" ? (await getKey(ctx, ctx.actor.keyId)).expiresAt : null;
  return wanted === null || latest === null ? (wanted ?? latest) : Math.min(wanted, latest);
}

export async function getKey(ctx: WorkspaceCtx, id: string): Promise<ApiKeyRow> {
  const row = await findKey(ctx, id);
  if (!row) throw new Problem("api-key-not-found");
  return row;
}

async function getChangeable(ctx: WorkspaceCtx, id: string): Promise<ApiKeyRow> {
  const row = await getKey(ctx, id);
  if (row.mode === "live" && isForTests(ctx))
    throw new Problem("permission-denied", { detail: "A key for tests changes keys for tests only." });
  return row;
}

export async function listKeyPage(ctx: WorkspaceCtx, query: PageQuery) {
  return toPage(await listKeys(ctx, readCursor(query), query.limit + 1), query.limit, toApiKey);
}

export async function changeKey(
  ctx: WorkspaceCtx,
  id: string,
  change: { name?: string | undefined; scopes?: Permission[] | undefined; enabled?: boolean | undefined },
) {
  const before = await getChangeable(ctx, id);
  if (change.scopes) refuseEscalation(ctx, change.scopes);
  const next = {
    name: change.name ?? before.name,
    scopes: change.scopes ?? before.scopes,
    enabled: change.enabled ?? before.enabled,
  };
  await ctx.db.batch([
    updateKey(ctx, id, next),
    auditEntry(ctx, "api-key.changed", { target: id, details: { before: toApiKey(before), after: next } }),
  ]);
  return toApiKey({ ...before, ...next });
}

/** The key stops working at once for operations that check anew, and within ten seconds everywhere. */
export async function deleteKey(ctx: WorkspaceCtx, id: string): Promise<void> {
  await getChangeable(ctx, id);
  await ctx.db.batch([
    updateKey(ctx, id, { deletedAt: ctx.now(), enabled: false }),
    auditEntry(ctx, "api-key.deleted", { target: id }),
  ]);
}
