/** What the gateway asks about the keys that a workspace brought: which one to use for a provider. It never hands one to another workspace. */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { isTestMode } from "#core/test-mode";
import { shortMemory } from "#lib/short-memory";
import { openKey } from "./secret.ts";
import { type KeyMode, listUsable } from "./store.ts";
import type { ProviderKeyRow } from "./tables.ts";

export { noteOwnKeyUse } from "./usage.ts";

const rememberMs = 10_000;
const maxWorkspaces = 2_000;

interface Known {
  /** By provider, the one that is used. */
  rows: Map<string, ProviderKeyRow>;
  /** Opened when first used. */
  secrets: Map<string, string>;
}

const memory = shortMemory<Known>({ capacity: maxWorkspaces, maxAgeMs: rememberMs });

export function modeOf(ctx: Pick<WorkspaceCtx, "actor">): KeyMode {
  return isTestMode(ctx) ? "test" : "live";
}

const nameOf = (workspaceId: string, mode: KeyMode) => `${workspaceId} ${mode}`;

export interface OwnKey {
  id: string;
  secret: string;
  baseUrl: string | null;
}

/**
 * The workspace's own key for a provider, decrypted, remembered at most 10 s in the isolate; null when it has none. In test mode only keys
 * that were brought in test mode are found. Throws `unavailable` for one that does not open: the operator's key must not take its place.
 */
export async function ownKey(ctx: WorkspaceCtx, provider: string): Promise<OwnKey | null> {
  const mode = modeOf(ctx);
  const known = await memory.get(nameOf(ctx.workspaceId, mode), {
    nowMs: ctx.now(),
    read: () => read(ctx, mode),
    later: ctx.later,
  });
  const row = known.rows.get(provider);
  if (!row) return null;
  const secret = known.secrets.get(row.id) ?? (await opened(ctx, row));
  known.secrets.set(row.id, secret);
  return { id: row.id, secret, baseUrl: row.baseUrl };
}

async function read(ctx: WorkspaceCtx, mode: KeyMode): Promise<Known> {
  const rows = new Map<string, ProviderKeyRow>();
  for (const row of await listUsable(ctx, mode)) if (!rows.has(row.provider)) rows.set(row.provider, row);
  return { rows, secrets: new Map() };
}

async function opened(ctx: WorkspaceCtx, row: ProviderKeyRow): Promise<string> {
  try {
    return await openKey(ctx, row);
  } catch (error) {
    ctx.log("error", "provider-key.not-opened", { providerKeyId: row.id, error });
    throw new Problem("unavailable", {
      detail: `The workspace's key for ${row.provider} cannot be opened.`,
      headers: { "retry-after": "30" },
    });
  }
}

/** After a change; other isolates learn of it within ten seconds. */
export function forgetOwnKeys(ctx: Pick<WorkspaceCtx, "workspaceId">): void {
  memory.forget(nameOf(ctx.workspaceId, "live"));
  memory.forget(nameOf(ctx.workspaceId, "test"));
}

/** Forgets the keys of all workspaces and tells of how many. */
export function forgetAllOwnKeys(): number {
  return memory.clear();
}
