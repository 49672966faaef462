/** Encryption keys for people, and data keys for the conversions feature. Never returns key material to a client. */
import { auditEntry } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { commitWithJobs, type Statement } from "#core/job";
import { listJobs } from "#core/job-store";
import { readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { unendedStates } from "#core/states";
import { readMembership } from "#features/workspaces/service";
import { readImport } from "./import-rules.ts";
import { rewrapDataKeys } from "./jobs/rewrap-data-keys.ts";
import { ensureSessionKey, ensureUserKey, type Ensured, toKeyRow } from "./own-keys.ts";
import {
  type Asker,
  fingerprintOf,
  isOwnName,
  keyBytes,
  type KeyType,
  mayManage,
  maxImports,
  maySee,
} from "./rules.ts";
import { sessionEnd, sessionEnds } from "./sessions.ts";
import type { KeyShape, NewKey } from "./shapes.ts";
import * as store from "./store.ts";
import type { EncryptionKeyRow } from "./tables.ts";
import { holderOf, wrapDataKey } from "./wrapping.ts";

export { destroyDataKeys, openDataKey } from "./data-keys.ts";
export { isHolderGone } from "./store.ts";
export { listV1Masters, openV1Master } from "./imports.ts";

const iso = (time: number | null) => (time === null ? null : new Date(time).toISOString());

export function toKey(row: EncryptionKeyRow): KeyShape {
  return {
    id: row.id,
    keyType: row.keyType,
    format: row.format,
    version: row.version,
    state: row.state,
    fingerprint: row.fingerprint,
    description: row.description,
    externalUserId: row.externalUserId,
    createdAt: new Date(row.createdAt).toISOString(),
    rotatedAt: iso(row.rotatedAt),
    deactivatedAt: iso(row.deactivatedAt),
    expiresAt: iso(row.expiresAt),
  };
}

/** Makes or finds the asked key; `isNew` tells which. */
export async function createKey(ctx: WorkspaceCtx, given: NewKey): Promise<{ key: KeyShape; isNew: boolean }> {
  const { row, isNew } = await makeKey(ctx, given);
  return { key: toKey(row), isNew };
}

async function makeKey(ctx: WorkspaceCtx, given: NewKey): Promise<Ensured> {
  const description = given.description ?? null;
  if (given.keyType === "master") return importMaster(ctx, given);
  if (given.userId !== undefined && !isMyself(ctx, given.userId)) {
    throw new Problem("server-owned-member", {
      detail: "userId is the person who asks: keys are not made for others.",
    });
  }
  return given.keyType === "user" ? ensureUserKey(ctx, description) : ensureSessionKey(ctx, description);
}

function isMyself(ctx: WorkspaceCtx, userId: string): boolean {
  return userId === "me" || userId === ctx.userId;
}

async function importMaster(ctx: WorkspaceCtx, given: Extract<NewKey, { keyType: "master" }>): Promise<Ensured> {
  const { raw, externalUserId } = readImport(given);
  await requireImporter(ctx, externalUserId);
  const id = ctx.newId("encryptionKey");
  const made = ctx.isReplay ? await store.findKey(ctx, id) : null;
  if (made) return { row: made, isNew: true };
  const fingerprint = fingerprintOf(ctx.workspaceId, raw);
  const known = await store.findImport(ctx, { externalUserId, fingerprint });
  if (known) throw importedAlready(known);
  if ((await store.countImports(ctx)) >= maxImports) throw new Problem("encryption-key-limit-reached");
  const description = given.description ?? null;
  const row = await toKeyRow(ctx, {
    id,
    keyType: "master",
    format: 1,
    version: 1,
    userId: ctx.userId,
    description,
    externalUserId,
    raw,
  });
  try {
    await ctx.db.batch([
      store.insertKey(ctx, row),
      auditEntry(ctx, "encryption-key.imported", { target: id, details: { externalUserId, fingerprint } }),
    ]);
  } catch (error) {
    const first = store.isTaken(error) ? await store.findImport(ctx, { externalUserId, fingerprint }) : null;
    throw first ? importedAlready(first) : error;
  }
  return { row, isNew: true };
}

function importedAlready(row: EncryptionKeyRow): Problem {
  return new Problem("encryption-key-exists", { members: { encryptionKeyId: row.id } });
}

/** Everybody of the workspace opens with an import, so only owner and admin bring in keys of other people. */
async function requireImporter(ctx: WorkspaceCtx, externalUserId: string): Promise<void> {
  const asker = await askerOf(ctx);
  if (asker.isAdmin) return;
  const person = await store.findPersonNames(ctx, ctx.userId);
  if (person && isOwnName(externalUserId, person)) return;
  throw notAdmin("Only owner and admin import a key of another user id than their own.");
}

function notAdmin(detail: string): Problem {
  return new Problem("permission-denied", { detail, members: { requiredRole: ["owner", "admin"] } });
}

/** An API key acts with its maker's role, which its scopes do not tell. */
async function askerOf(ctx: WorkspaceCtx): Promise<Asker> {
  const role =
    ctx.actor.kind === "user"
      ? ctx.actor.role
      : (await readMembership(ctx.db, ctx.userId, ctx.workspaceId, ctx.now()))?.role;
  return { userId: ctx.userId, isAdmin: role === "owner" || role === "admin" };
}

export async function listKeyPage(
  ctx: WorkspaceCtx,
  query: { limit: number; cursor?: string | undefined; keyType?: KeyType | undefined; userId?: string | undefined },
) {
  if (query.userId !== undefined && !isMyself(ctx, query.userId)) throw new Problem("user-not-found");
  const asker = await askerOf(ctx);
  const filter = {
    asker,
    ownOnly: query.userId !== undefined,
    keyType: query.keyType ?? null,
    before: readCursor(query),
    limit: query.limit + 1,
  };
  return toPage(await settle(ctx, await store.listKeys(ctx, filter)), query.limit, toKey);
}

export async function getKey(ctx: WorkspaceCtx, id: string): Promise<KeyShape> {
  const row = await findVisible(ctx, id, await askerOf(ctx));
  return toKey((await settle(ctx, [row]))[0] ?? row);
}

/** `active` names the asker's own active user key, whose id older clients do not know. */
async function findVisible(ctx: WorkspaceCtx, id: string, asker: Asker): Promise<EncryptionKeyRow> {
  const row = id === "active" ? await findActiveUserKey(ctx) : await store.findKey(ctx, id);
  if (!row || !maySee(row, asker)) throw new Problem("encryption-key-not-found");
  return row;
}

async function findManaged(ctx: WorkspaceCtx, id: string): Promise<EncryptionKeyRow> {
  const asker = await askerOf(ctx);
  const row = await findVisible(ctx, id, asker);
  if (!mayManage(row, asker)) throw notAdmin("Only its importer, owner and admin change this key.");
  return row;
}

/** Session keys as they are now: those whose session has ended are switched off, the others show when it will end. */
async function settle(ctx: WorkspaceCtx, rows: EncryptionKeyRow[]): Promise<EncryptionKeyRow[]> {
  const isOpen = (row: EncryptionKeyRow) => row.keyType === "session" && row.state === "active";
  if (!rows.some(isOpen)) return rows;
  const ends = await sessionEnds(ctx, ctx.userId);
  const ended = rows.filter((row) => isOpen(row) && !ends.has(row.sessionId ?? "")).map((row) => row.id);
  for (let from = 0; from < ended.length; from += 50)
    await ctx.db.batch([store.deactivateKeys(ctx, ended.slice(from, from + 50))]);
  return rows.map((row) => {
    if (ended.includes(row.id)) return { ...row, state: "deactivated", deactivatedAt: ctx.now() };
    return isOpen(row) ? { ...row, expiresAt: ends.get(row.sessionId ?? "") ?? null } : row;
  });
}

/** The active user key of the person who asks, or null. */
export async function findActiveUserKey(ctx: WorkspaceCtx): Promise<EncryptionKeyRow | null> {
  return store.findActiveUserKeyOf(ctx, ctx.userId);
}

/** The new key, the retired one, and the job that moves the data keys. Throws `encryption-key-not-found`, `encryption-key-not-rotatable`. */
export async function rotateKey(ctx: WorkspaceCtx, id: string, owner: { userId?: string | undefined } = {}) {
  if (owner.userId !== undefined && !isMyself(ctx, owner.userId)) throw new Problem("user-not-found");
  const nextId = ctx.newId("encryptionKey");
  const jobId = ctx.newId("job");
  const made = ctx.isReplay ? await store.findKey(ctx, nextId) : null;
  const previous = made
    ? await store.findUserKeyOfVersion(ctx, made.userId, made.version - 1)
    : await findManaged(ctx, id);
  if (!made && previous) await commitRotation(ctx, previous, { nextId, jobId });
  const [next, old] = await Promise.all([store.findKey(ctx, nextId), store.findKey(ctx, previous?.id ?? id)]);
  if (!next || !old) throw new Error("a rotation was committed and cannot be read");
  return { key: toKey(next), previous: toKey(old), jobId };
}

async function commitRotation(
  ctx: WorkspaceCtx,
  previous: EncryptionKeyRow,
  ids: { nextId: string; jobId: string },
): Promise<void> {
  if (previous.keyType !== "user") throw notRotatable("Import the new key, or make a new one, instead.");
  if (previous.state !== "active") throw notRotatable(`The key is ${previous.state}.`);
  const { userId, description } = previous;
  const version = (await store.lastVersion(ctx, userId, "user")) + 1;
  const next = await toKeyRow(ctx, {
    id: ids.nextId,
    keyType: "user",
    format: 2,
    version,
    userId,
    description,
    raw: ctx.random(keyBytes),
  });
  const rotated = auditEntry(ctx, "encryption-key.rotated", {
    target: previous.id,
    details: { successor: next.id, version },
  });
  const rewrap = rewrapDataKeys.row(ctx, { encryptionKeyId: previous.id }, { jobId: ids.jobId });
  try {
    await commitWithJobs(ctx, [store.retireKey(ctx, previous.id), store.insertKey(ctx, next), rotated], [rewrap]);
  } catch (error) {
    throw store.isTaken(error) ? notRotatable("Another request has just rotated it.") : error;
  }
}

function notRotatable(detail: string): Problem {
  return new Problem("encryption-key-not-rotatable", { detail });
}

/**
 * Idempotent by nature: a key that is switched off stays as it is. Throws `encryption-key-moving` for a rotated key that images still
 * depend on, unless `force` gives these up.
 */
export async function deactivateKey(
  ctx: WorkspaceCtx,
  id: string,
  { force = false }: { force?: boolean } = {},
): Promise<KeyShape> {
  const row = await findManaged(ctx, id);
  if (row.state === "deactivated") return toKey(row);
  const details = { kind: row.keyType, ...(force ? { force } : {}) };
  const deactivated = auditEntry(ctx, "encryption-key.deactivated", { target: row.id, details });
  const switchOff = force ? store.deactivateKeys(ctx, [row.id]) : store.deactivateUnlessMoving(ctx, row.id);
  try {
    await ctx.db.batch([switchOff, deactivated]);
  } catch (error) {
    throw store.isMoving(error) ? await moving(ctx, row) : error;
  }
  return toKey((await store.findKey(ctx, row.id)) ?? row);
}

async function moving(ctx: WorkspaceCtx, { id }: EncryptionKeyRow): Promise<Problem> {
  const [dataKeysLeft, jobId] = await Promise.all([store.countDataKeysUnder(ctx, id), findMove(ctx, id)]);
  const detail = `${dataKeysLeft} data keys have not moved to the key that followed it: their images would open no more.`;
  return new Problem("encryption-key-moving", { detail, members: { dataKeysLeft, jobId } });
}

const maxMoves = 100;

/** The job that moves the data keys of a retired key, while one waits or runs. */
async function findMove(ctx: WorkspaceCtx, encryptionKeyId: string): Promise<string | null> {
  const filter = { states: [...unendedStates], name: rewrapDataKeys.name, before: null, limit: maxMoves };
  const found = (await listJobs(ctx, ctx.workspaceId, filter)).find(
    ({ payload }) => (JSON.parse(payload) as { encryptionKeyId: string }).encryptionKeyId === encryptionKeyId,
  );
  return found?.id ?? null;
}

export interface NewDataKey {
  /** 32 hexadecimal characters, for the image's header. */
  keyId: string;
  /** Stores the wrapped key: put it into the batch that makes the conversion. Fails it (`isHolderGone`) when its key was switched off since. */
  statement: Statement;
  encryptionKeyId: string;
}

/**
 * A new random data key for one conversion, wrapped by the named key or else by the person's active user key.
 * Throws `encryption-key-not-found` (also for keys of other people and for format 1) and `encryption-key-deactivated` (also for retired keys).
 */
export async function createDataKey(
  ctx: WorkspaceCtx,
  request: { conversionId: string; encryptionKeyId: string | null },
): Promise<NewDataKey> {
  const { conversionId, encryptionKeyId } = request;
  const row = encryptionKeyId === null ? (await ensureUserKey(ctx)).row : await findUsable(ctx, encryptionKeyId);
  const id = Buffer.from(ctx.random(16)).toString("hex");
  const wrappedKey = await wrapDataKey(ctx, await holderOf(ctx.settings, row), { id, raw: ctx.random(keyBytes) });
  const { workspaceId } = ctx;
  const statement = store.insertDataKey(ctx, {
    id,
    workspaceId,
    conversionId,
    encryptionKeyId: row.id,
    wrappedKey,
    destroyedAt: null,
    createdAt: ctx.now(),
  });
  return { keyId: id, statement, encryptionKeyId: row.id };
}

async function findUsable(ctx: WorkspaceCtx, id: string): Promise<EncryptionKeyRow> {
  const row = await store.findKey(ctx, id);
  if (!row || row.userId !== ctx.userId) throw new Problem("encryption-key-not-found");
  if (row.keyType === "master")
    throw new Problem("encryption-key-not-found", { detail: "An imported master key seals format 1 only." });
  if (row.state === "retired")
    throw new Problem("encryption-key-deactivated", {
      detail: "The key was rotated: it opens only. Use its successor.",
    });
  if (row.state === "deactivated") throw new Problem("encryption-key-deactivated");
  if (row.keyType === "session") await requireOwnSession(ctx, row);
  return row;
}

/** A session key serves its own session only, while that lasts. */
async function requireOwnSession(ctx: WorkspaceCtx, { userId, sessionId }: EncryptionKeyRow): Promise<void> {
  if (ctx.actor.kind !== "user" || sessionId === null || ctx.actor.sessionId !== sessionId)
    throw new Problem("encryption-key-not-found");
  if ((await sessionEnd(ctx, { userId, sessionId })) === null)
    throw new Problem("encryption-key-deactivated", { detail: "The session has ended." });
}

/** For the status page: how many keys an older master key still wraps. */
export async function countStaleKeys(ctx: Ctx): Promise<{ currentVersion: number; staleKeys: number }> {
  const [{ version }] = ctx.settings.masterKeys;
  return { currentVersion: version, staleKeys: await store.countStale(ctx, version) };
}
