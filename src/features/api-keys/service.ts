/** Making, listing, changing, rotating and deleting API keys. The check on the request path is check.ts. */
import { permissionNames, permissions } from "#core/access";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { readCursor, toPage, type PageQuery } from "#core/page";
import { Problem } from "#core/problem";
import { webhookEvent } from "#features/webhooks/service";
import { forgetKeys, forgetUnknown, hashOfImported } from "./check.ts";
import { type KeyMode, makeKey } from "./key-format.ts";
import {
  addressesWithin,
  askingKey,
  endWithin,
  mayGrant,
  modelsWithin,
  modeOf,
  refuseEscalation,
  refuseMultiplying,
  requireMode,
  requireRestrictions,
  requireWithin,
} from "./making.ts";
import type { ChangeKey, CreateKey } from "./shapes.ts";
import * as store from "./store.ts";
import type { ApiKeyRow } from "./tables.ts";

export { mintSessionKey, purgeSessionKeys } from "./session-keys.ts";
export { deleteKeysOfUser } from "./store.ts";

const maxKeys = 100;
const dayMs = 86_400_000;

export function toApiKey(row: ApiKeyRow) {
  const { id, name, mode, kind, start, scopes, enabled, limits, budgets, metadata, userId } = row;
  const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id,
    name,
    mode,
    kind,
    start,
    userId,
    scopes,
    enabled,
    limits,
    budgets,
    allowedAddresses: row.allowedAddresses,
    allowedModels: row.allowedModels,
    metadata,
    expiresAt: iso(row.expiresAt),
    rotatedAt: iso(row.rotatedAt),
    lastUsedAt: iso(row.lastUsedAt),
    createdAt: new Date(row.createdAt).toISOString(),
  };
}

/** Also for a sub-user's own keys: then `ctx` acts as the sub-user. */
export async function createKey(ctx: WorkspaceCtx, given: CreateKey) {
  await requireRoom(ctx);
  const maker = await askingKey(ctx);
  refuseMultiplying(maker);
  const scopes =
    given.scopes ?? permissionNames.filter((name) => mayGrant(ctx, name) && !("fresh" in permissions[name]));
  refuseEscalation(ctx, scopes);
  const { text, ...made } = secretFor(ctx, modeOf(ctx, given.mode), given.importedKey);
  const row: ApiKeyRow = {
    ...made,
    workspaceId: ctx.workspaceId,
    userId: ctx.userId,
    sessionId: null,
    name: given.name,
    scopes,
    enabled: true,
    expiresAt: endWithin(maker, askedEnd(ctx, given)),
    limits: given.limits ?? [],
    budgets: given.budgets ?? [],
    allowedAddresses: addressesWithin(maker, given.allowedAddresses),
    allowedModels: modelsWithin(ctx, maker, given.allowedModels),
    metadata: given.metadata ?? null,
    rotatedAt: null,
    lastUsedAt: null,
    createdAt: ctx.now(),
    deletedAt: null,
  };
  const { id, name, kind } = row;
  const statements = [
    store.insertKey(ctx, row),
    auditEntry(ctx, "api-key.created", { target: id, details: { name, scopes, kind } }),
  ];
  try {
    await commitWithJobs(ctx, statements, webhookEvent(ctx, "api-key.created", { keyId: id, name }));
  } catch (error) {
    throw store.isImportTaken(error) ? new Problem("api-key-known") : error;
  }
  forgetUnknown(text);
  return kind === "imported" ? toApiKey(row) : { ...toApiKey(row), key: text };
}

async function requireRoom(ctx: WorkspaceCtx): Promise<void> {
  const most = ctx.subUser?.limits.max_api_keys ?? maxKeys;
  if ((await store.countKeys(ctx)) >= most)
    throw new Problem("api-key-limit-reached", {
      detail: ctx.subUser ? `At most ${most} keys for you.` : `At most ${most} keys a workspace.`,
    });
}

function secretFor(
  ctx: WorkspaceCtx,
  mode: KeyMode,
  importedKey: string | undefined,
): Pick<ApiKeyRow, "id" | "mode" | "kind" | "hash" | "start"> & { text: string } {
  const id = ctx.newId("apiKey");
  if (importedKey === undefined) return { ...newSecret(ctx, id, mode), id, mode };
  if (ctx.actor.kind !== "user")
    throw new Problem("session-required", { detail: "Keys of older systems are imported by a person." });
  return {
    id,
    mode,
    kind: "imported",
    text: importedKey,
    hash: hashOfImported(importedKey),
    start: importedKey.slice(0, 8),
  };
}

function newSecret(ctx: WorkspaceCtx, id: string, mode: KeyMode) {
  const { text, hash } = makeKey(ctx.settings.masterKeys[0], mode, { id, secret: ctx.random(24) });
  return { text, hash, start: text.slice(0, 13), kind: "own" as const };
}

function askedEnd(ctx: WorkspaceCtx, given: CreateKey): number | null {
  if (given.expiresAt !== undefined) return Date.parse(given.expiresAt);
  return given.expiresInDays === undefined ? null : ctx.now() + given.expiresInDays * dayMs;
}

export async function getKey(ctx: WorkspaceCtx, id: string): Promise<ApiKeyRow> {
  const row = await store.findKey(ctx, id);
  if (!row) throw new Problem("api-key-not-found");
  return row;
}

async function getChangeable(ctx: WorkspaceCtx, id: string): Promise<ApiKeyRow> {
  const row = await getKey(ctx, id);
  requireMode(ctx, row);
  return row;
}

export async function listKeyPage(ctx: WorkspaceCtx, query: PageQuery) {
  return toPage(await store.listKeys(ctx, readCursor(query), query.limit + 1), query.limit, toApiKey);
}

export async function changeKey(ctx: WorkspaceCtx, id: string, change: ChangeKey) {
  const [before, maker] = await Promise.all([getChangeable(ctx, id), askingKey(ctx)]);
  const next = changed(before, change);
  if (change.scopes) refuseEscalation(ctx, change.scopes);
  requireRestrictions(maker, before, next);
  if (change.allowedModels) modelsWithin(ctx, maker, change.allowedModels);
  // What works again or for longer is worth as much as a new key.
  const isRevived = (next.enabled && !before.enabled) || isLater(next.expiresAt, before.expiresAt);
  if (isRevived) requireWithin(ctx, maker, { ...before, ...next });
  await ctx.db.batch([
    store.updateKey(ctx, id, next),
    auditEntry(ctx, "api-key.changed", {
      target: id,
      details: { before: shownInTrail(before), after: shownInTrail({ ...before, ...next }) },
    }),
  ]);
  forgetKeys({ workspaceId: ctx.workspaceId, userId: before.userId });
  return toApiKey({ ...before, ...next });
}

function changed(before: ApiKeyRow, { expiresAt, ...given }: ChangeKey) {
  const rest = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const { name, scopes, enabled, limits, budgets, allowedAddresses, allowedModels, metadata } = { ...before, ...rest };
  const end = expiresAt === undefined ? before.expiresAt : expiresAt === null ? null : Date.parse(expiresAt);
  return { name, scopes, enabled, limits, budgets, allowedAddresses, allowedModels, metadata, expiresAt: end };
}

function isLater(next: number | null, before: number | null): boolean {
  return before !== null && (next === null || next > before);
}

/** For the audit trail: what a person notes about a key may be anything, and does not belong there. */
function shownInTrail(row: ApiKeyRow) {
  return toApiKey({ ...row, metadata: null });
}

/**
 * The same key with a new secret: its id, limits, budgets and counters stay, so rotating gives nobody a quota anew. The old secret works
 * until the grace ends; without one it stops as a deleted key does.
 */
export async function rotateKey(
  ctx: WorkspaceCtx,
  id: string,
  { graceSeconds = 0 }: { graceSeconds?: number | undefined },
) {
  const [before, maker] = await Promise.all([getChangeable(ctx, id), askingKey(ctx)]);
  requireWithin(ctx, maker, before);
  const { text, ...secret } = newSecret(ctx, id, before.mode);
  const at = ctx.now();
  const until = at + graceSeconds * 1_000;
  const previousWorksUntil = graceSeconds === 0 ? null : new Date(until).toISOString();
  const next = { ...secret, rotatedAt: at };
  const statements = [
    store.replaceSecret(ctx, before, next),
    ...(graceSeconds === 0 ? [] : [store.retireSecret(ctx.db, { hash: before.hash, keyId: id, until })]),
    auditEntry(ctx, "api-key.rotated", { target: id, details: { graceSeconds } }),
  ];
  try {
    const told = { keyId: id, name: before.name, previousWorksUntil };
    await commitWithJobs(ctx, statements, webhookEvent(ctx, "api-key.rotated", told));
  } catch (error) {
    throw store.isStaleSecret(error) ? new Problem("api-key-rotating") : error;
  }
  return { ...toApiKey({ ...before, ...next }), previousWorksUntil, key: text };
}

/** The key stops working at once for operations that check anew, and within ten seconds everywhere. */
export async function deleteKey(ctx: WorkspaceCtx, id: string): Promise<void> {
  const { name } = await getChangeable(ctx, id);
  await commitWithJobs(
    ctx,
    [
      store.updateKey(ctx, id, { deletedAt: ctx.now(), enabled: false }),
      auditEntry(ctx, "api-key.deleted", { target: id, details: { name } }),
    ],
    webhookEvent(ctx, "api-key.deleted", { keyId: id, name }),
  );
}
