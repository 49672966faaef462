/** Bringing, changing, testing and deleting keys for providers. Every key is shown to its provider before it is stored; none is ever shown back. */
import { addressOf, checkKey, type KeyChecked } from "#adapters/llm/key-check";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import type { Limit } from "#core/limits";
import { TenantCallError } from "#core/outbound";
import { readCursor, toPage, type PageQuery } from "#core/page";
import { Problem } from "#core/problem";
import { sandboxBase } from "#core/sandbox-secrets";
import { maskedSecret } from "#core/sealed-secret";
import { checkTenantUrl } from "#lib/tenant-url";
import { hashesOf, openKey, sealKey } from "./secret.ts";
import { forgetOwnKeys, modeOf } from "./service.ts";
import type { ChangeProviderKey, CreateProviderKey, ProviderKeyUsageQuery, ValidateProviderKey } from "./shapes.ts";
import * as store from "./store.ts";
import type { ProviderKeyRow } from "./tables.ts";
import { usageOf, writeOwnKeyUses } from "./usage.ts";

/** Each check calls somebody else's host, and an unlimited one would sort stolen keys. */
const checkLimit: Limit = { name: "provider-key-checks", quota: 20, windowSeconds: 60 };

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

export function toProviderKey(row: ProviderKeyRow) {
  const { id, provider, name, mode, baseUrl, preview, enabled, valid, calls } = row;
  return {
    id,
    provider,
    name,
    mode,
    baseUrl,
    preview,
    enabled,
    valid,
    usageCount: calls,
    checkedAt: iso(row.checkedAt) ?? "",
    lastUsedAt: iso(row.lastUsedAt),
    createdAt: iso(row.createdAt) ?? "",
    updatedAt: iso(row.updatedAt) ?? "",
  };
}

/** By id or, as system D's clients name them, by provider. */
export async function getKey(ctx: WorkspaceCtx, idOrProvider: string): Promise<ProviderKeyRow> {
  const mode = modeOf(ctx);
  const [row] = idOrProvider.startsWith("byok_")
    ? [await store.findById(ctx, idOrProvider)]
    : await store.listOfProvider(ctx, mode, idOrProvider.toLowerCase());
  if (row?.mode !== mode) throw new Problem("provider-key-not-found");
  return row;
}

export async function listKeyPage(ctx: WorkspaceCtx, query: PageQuery & { provider?: string | undefined }) {
  const filter = {
    mode: modeOf(ctx),
    provider: query.provider ?? null,
    before: readCursor(query),
    limit: query.limit + 1,
  };
  return toPage(await store.listKeys(ctx, filter), query.limit, toProviderKey);
}

/** The address that the key is for; null: the provider's own. Throws `address-refused` or `model-provider-incomplete`. */
function baseUrlOf(ctx: WorkspaceCtx, given: { provider: string; baseUrl?: string | null | undefined }): string | null {
  if (given.baseUrl === undefined || given.baseUrl === null) {
    if (addressOf(given.provider) !== null) return null;
    throw new Problem("model-provider-incomplete", {
      detail: `${given.provider} has no address of its own: name baseUrl.`,
    });
  }
  const { outboundTenantAllow: allow, publicUrl } = ctx.settings;
  const check = checkTenantUrl(given.baseUrl, { allow, publicUrl });
  if (!check.ok) throw addressRefused(check.reason);
  if (check.url.search !== "" || check.url.hash !== "") throw addressRefused("has-query");
  return check.url.href.replace(/\/+$/, "").replace(/\/chat\/completions$/, "");
}

function addressRefused(reason: string): Problem {
  return new Problem("address-refused", { detail: `The address is refused: ${reason}.`, members: { reason } });
}

interface Presented {
  provider: string;
  baseUrl: string | null;
  secret: string;
}

/** In test mode the simulator is asked, whatever the provider. */
async function check(ctx: WorkspaceCtx, { provider, baseUrl, secret }: Presented): Promise<KeyChecked> {
  await ctx.takeLimit(checkLimit, ctx.workspaceId);
  if (modeOf(ctx) === "test") {
    if (!ctx.settings.sandbox)
      throw new Problem("model-provider-not-configured", { detail: "The sandbox is switched off here." });
    const simulated = { provider: "sandbox", baseUrl: `${sandboxBase(ctx.settings, "llm")}/v1`, isTenantUrl: false };
    return checkKey(ctx.outbound, { ...simulated, secret });
  }
  const address = baseUrl ?? addressOf(provider) ?? "";
  try {
    return await checkKey(ctx.outbound, { provider, secret, baseUrl: address, isTenantUrl: baseUrl !== null });
  } catch (error) {
    if (error instanceof TenantCallError) throw addressRefused("not-public");
    throw error;
  }
}

async function requireAccepted(ctx: WorkspaceCtx, presented: Presented): Promise<void> {
  const { verdict, status } = await check(ctx, presented);
  if (verdict === "accepted") return;
  if (verdict === "refused")
    throw new Problem("provider-key-invalid", {
      detail: `${presented.provider} refused the key.`,
      members: { providerStatus: status },
    });
  throw new Problem("provider-key-unchecked", {
    detail: `${presented.provider} did not say whether it accepts the key.`,
    members: { providerStatus: status },
    headers: { "retry-after": "30" },
  });
}

/** Whether a provider accepts a key; nothing is stored. */
export async function validateKey(ctx: WorkspaceCtx, given: ValidateProviderKey) {
  const presented = { provider: given.provider, baseUrl: baseUrlOf(ctx, given), secret: given.key };
  return answerOf(given.provider, await check(ctx, presented), ctx.now());
}

function answerOf(provider: string, { verdict, status }: KeyChecked, atMs: number) {
  return { provider, valid: verdict === "accepted", verdict, status, checkedAt: iso(atMs) ?? "" };
}

async function refuseTwin(ctx: WorkspaceCtx, presented: Presented & { id: string }): Promise<void> {
  const { id, provider, secret } = presented;
  const hashes = hashesOf(ctx, { workspaceId: ctx.workspaceId, provider, id }, secret);
  const twin = await store.findByHash(ctx, { mode: modeOf(ctx), provider, hashes });
  if (twin && twin.id !== id) throw alreadyThere(twin);
}

function alreadyThere(twin?: ProviderKeyRow): Problem {
  const named = { detail: `It is there as ${JSON.stringify(twin?.name)}.`, members: { id: twin?.id } };
  return new Problem("provider-key-exists", twin ? named : {});
}

export async function createKey(ctx: WorkspaceCtx, given: CreateProviderKey) {
  const { provider, name } = given;
  const presented = { provider, baseUrl: baseUrlOf(ctx, given), secret: given.key };
  const ofProvider = await store.listOfProvider(ctx, modeOf(ctx), provider);
  const namesake = ofProvider.find((row) => row.name === name);
  if (namesake && given.replace) return changeKey(ctx, namesake.id, { key: given.key, baseUrl: presented.baseUrl });
  const id = ctx.newId("providerKey");
  // A repeated run of an interrupted request finds what the first one made.
  if (ctx.isReplay && namesake?.id === id) return toProviderKey(namesake);
  if (namesake) throw alreadyThere(namesake);
  if ((await store.countKeys(ctx)) >= store.maxKeys)
    throw new Problem("provider-key-limit-reached", { detail: `At most ${store.maxKeys} keys a workspace.` });
  await refuseTwin(ctx, { ...presented, id });
  await requireAccepted(ctx, presented);
  const row = await newRow(ctx, { id, name, presented });
  const after = { provider, name, baseUrl: row.baseUrl, mode: row.mode, preview: row.preview };
  await commit(ctx, [store.insertKey(ctx.db, row), auditEntry(ctx, "provider-key.created", { target: id, after })]);
  return toProviderKey(row);
}

async function newRow(
  ctx: WorkspaceCtx,
  { id, name, presented }: { id: string; name: string; presented: Presented },
): Promise<ProviderKeyRow> {
  const { provider, baseUrl, secret } = presented;
  const at = ctx.now();
  const { workspaceId, userId } = ctx;
  return {
    id,
    workspaceId,
    userId,
    mode: modeOf(ctx),
    provider,
    name,
    baseUrl,
    ...(await sealKey(ctx, { workspaceId, provider, id }, secret)),
    preview: maskedSecret(secret),
    enabled: true,
    valid: true,
    checkedAt: at,
    calls: 0,
    errors: 0,
    tokens: 0,
    costMicroUsd: 0,
    lastUsedAt: null,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
  };
}

/** Throws `provider-key-not-found` when the first statement met no key: it was deleted since it was read. */
async function commit(ctx: WorkspaceCtx, statements: Parameters<WorkspaceCtx["db"]["batch"]>[0]): Promise<void> {
  try {
    const [first] = (await ctx.db.batch(statements)) as unknown as { meta: { changes: number } }[];
    if (first?.meta.changes === 0) throw new Problem("provider-key-not-found");
  } catch (error) {
    // Two requests at once: the names and secrets of the table are unique, whatever each of them had seen before.
    if (store.isTaken(error)) throw alreadyThere();
    throw error;
  }
  forgetOwnKeys(ctx);
}

/**
 * A new address is taken together with the key only: whoever may change a key but never saw it must not be able to send it to a host of
 * theirs.
 */
export async function changeKey(ctx: WorkspaceCtx, idOrProvider: string, given: ChangeProviderKey) {
  const before = await getKey(ctx, idOrProvider);
  const { name, enabled, key } = given;
  // Only what was named is written: two changes of different members at once both hold.
  const next: Partial<ProviderKeyRow> = {
    ...(name === undefined ? {} : { name }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(key === undefined ? {} : await newSecret(ctx, before, { ...given, key })),
    updatedAt: ctx.now(),
  };
  const shown = (row: Partial<ProviderKeyRow>) => ({
    name: row.name,
    enabled: row.enabled,
    baseUrl: row.baseUrl,
    preview: row.preview,
  });
  const details = { target: before.id, before: shown(before), after: shown({ ...before, ...next }) };
  await commit(ctx, [store.updateKey(ctx, before.id, next), auditEntry(ctx, "provider-key.changed", details)]);
  return toProviderKey({ ...before, ...next });
}

async function newSecret(
  ctx: WorkspaceCtx,
  before: ProviderKeyRow,
  given: { key: string; baseUrl?: string | null | undefined },
): Promise<Partial<ProviderKeyRow>> {
  const { id, provider, workspaceId } = before;
  const wanted = given.baseUrl === undefined ? before.baseUrl : given.baseUrl;
  const presented = { provider, baseUrl: baseUrlOf(ctx, { provider, baseUrl: wanted }), secret: given.key };
  await refuseTwin(ctx, { ...presented, id });
  await requireAccepted(ctx, presented);
  return {
    ...(await sealKey(ctx, { workspaceId, provider, id }, given.key)),
    baseUrl: presented.baseUrl,
    preview: maskedSecret(given.key),
    valid: true,
    checkedAt: ctx.now(),
  };
}

/** Asks the provider once more. What it did not say changes nothing. */
export async function testKey(ctx: WorkspaceCtx, idOrProvider: string) {
  const row = await getKey(ctx, idOrProvider);
  const checked = await check(ctx, { provider: row.provider, baseUrl: row.baseUrl, secret: await openKey(ctx, row) });
  const at = ctx.now();
  const answer = answerOf(row.provider, checked, at);
  if (checked.verdict !== "unknown") {
    const details = { valid: answer.valid, status: checked.status };
    await ctx.db.batch([
      store.updateKey(ctx, row.id, { valid: answer.valid, checkedAt: at }),
      auditEntry(ctx, "provider-key.tested", { target: row.id, details }),
    ]);
  }
  return { id: row.id, ...answer };
}

export async function keyUsage(ctx: WorkspaceCtx, idOrProvider: string, { days }: ProviderKeyUsageQuery) {
  await writeOwnKeyUses(ctx);
  return usageOf(ctx, await getKey(ctx, idOrProvider), days);
}

/** Nothing of the secret is left, neither the envelope nor its hash. */
export async function deleteKey(ctx: WorkspaceCtx, idOrProvider: string): Promise<void> {
  const row = await getKey(ctx, idOrProvider);
  const before = { provider: row.provider, name: row.name, baseUrl: row.baseUrl, preview: row.preview };
  await commit(ctx, [
    store.updateKey(ctx, row.id, { ...store.erased, updatedAt: ctx.now(), deletedAt: ctx.now() }),
    auditEntry(ctx, "provider-key.deleted", { target: row.id, before }),
  ]);
}
