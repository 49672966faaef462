/** Making, listing, changing and deleting API keys. The check on the request path is check.ts. */
import { type Permission, permissionNames, permissions, roleHas } from "#core/access";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { readCursor, toPage, type PageQuery } from "#core/page";
import { Problem } from "#core/problem";
import { type KeyMode, makeKey } from "./key-format.ts";
import { countKeys, findKey, insertKey, listKeys, updateKey } from "./store.ts";
import type { ApiKeyRow } from "./tables.ts";

const maxKeys = 100;
const dayMs = 86_400_000;

export function toApiKey(row: ApiKeyRow) {
  const { id, name, mode, start, scopes, enabled } = row;
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return { id, name, mode, start, scopes, enabled, expiresAt: iso(row.expiresAt), lastUsedAt: iso(row.lastUsedAt), createdAt: new Date(row.createdAt).toISOString() };
}

export async function createKey(ctx: WorkspaceCtx, given: { name: string; scopes?: Permission[] | undefined; mode: KeyMode; expiresInDays?: number | undefined }) {
  if ((await countKeys(ctx)) >= maxKeys) throw new Problem("api-key-limit-reached", { detail: `At most ${maxKeys} keys a workspace.` });
  const scopes = given.scopes ?? permissionNames.filter((name) => mayGrant(ctx, name) && !("fresh" in permissions[name]));
  refuseEscalation(ctx, scopes);
  const made = makeKey(ctx.settings.masterKeys[0], given.mode, { id: ctx.newId("apiKey"), secret: ctx.random(24) });
  const row: ApiKeyRow = {
    id: made.id,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    name: given.name,
    mode: given.mode,
    start: made.text.slice(0, 13),
    hash: made.hash,
    scopes,
    enabled: true,
    expiresAt: given.expiresInDays === undefined ? null : ctx.now() + given.expiresInDays * dayMs,
    lastUsedAt: null,
    createdAt: ctx.now(),
    deletedAt: null,
  };
  await ctx.db.batch([insertKey(ctx, row), auditEntry(ctx, "api-key.created", { target: row.id, details: { name: row.name, scopes } })]);
  return { ...toApiKey(row), key: made.text };
}

/** Nobody hands out what they may not do themselves. */
function mayGrant(ctx: WorkspaceCtx, permission: Permission): boolean {
  if (ctx.actor.kind === "user") return roleHas(ctx.actor.role, permission);
  return ctx.actor.kind === "api-key" && ctx.actor.scopes.includes(permission);
}

function refuseEscalation(ctx: WorkspaceCtx, scopes: readonly Permission[]): void {
  const beyond = scopes.filter((scope) => !mayGrant(ctx, scope));
  if (beyond.length > 0) throw new Problem("scope-not-grantable", { detail: `Not yours to grant: ${beyond.join(", ")}.`, members: { scopes: beyond } });
}

export async function getKey(ctx: WorkspaceCtx, id: string): Promise<ApiKeyRow> {
  const row = await findKey(ctx, id);
  if (!row) throw new Problem("api-key-not-found");
  return row;
}

export async function listKeyPage(ctx: WorkspaceCtx, query: PageQuery) {
  return toPage(await listKeys(ctx, readCursor(query), query.limit + 1), query.limit, toApiKey);
}

export async function changeKey(ctx: WorkspaceCtx, id: string, change: { name?: string | undefined; scopes?: Permission[] | undefined; enabled?: boolean | undefined }) {
  const before = await getKey(ctx, id);
  if (change.scopes) refuseEscalation(ctx, change.scopes);
  const next = {
    name: change.name ?? before.name,
    scopes: change.scopes ?? before.scopes,
    enabled: change.enabled ?? before.enabled,
  };
  await ctx.db.batch([updateKey(ctx, id, next), auditEntry(ctx, "api-key.changed", { target: id, details: { before: toApiKey(before), after: next } })]);
  return toApiKey({ ...before, ...next });
}

/** The key stops working at once for operations that check anew, and within ten seconds everywhere. */
export async function deleteKey(ctx: WorkspaceCtx, id: string): Promise<void> {
  await getKey(ctx, id);
  await ctx.db.batch([updateKey(ctx, id, { deletedAt: ctx.now(), enabled: false }), auditEntry(ctx, "api-key.deleted", { target: id })]);
}
