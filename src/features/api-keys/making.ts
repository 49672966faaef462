/** Who may make which key, and change it to what: nobody hands out more than they may do themselves, and no key outgrows its maker. */
import { mayDo, type Permission } from "#core/access";
import type { WorkspaceCtx } from "#core/context";
import { areWithin } from "#core/model-patterns";
import { Problem } from "#core/problem";
import type { KeyMode } from "./key-format.ts";
import { isNarrower } from "./rules.ts";
import { findKey } from "./store.ts";
import type { ApiKeyRow } from "./tables.ts";

/** The key that asks; null: a person does. */
export async function askingKey(ctx: WorkspaceCtx): Promise<ApiKeyRow | null> {
  if (ctx.actor.kind !== "api-key") return null;
  const row = await findKey(ctx, ctx.actor.keyId);
  if (!row) throw new Problem("permission-denied", { detail: "This key manages no keys." });
  return row;
}

export function mayGrant(ctx: WorkspaceCtx, permission: Permission): boolean {
  if (ctx.actor.kind === "user") return mayDo(ctx.actor, permission);
  return ctx.actor.kind === "api-key" && ctx.actor.scopes.includes(permission);
}

function beyond(detail: string, members: Record<string, unknown> = {}): Problem {
  return new Problem("scope-not-grantable", { detail, members });
}

export function refuseEscalation(ctx: WorkspaceCtx, scopes: readonly Permission[]): void {
  const more = scopes.filter((scope) => !mayGrant(ctx, scope));
  if (more.length > 0) throw beyond(`Not yours to grant: ${more.join(", ")}.`, { scopes: more });
}

function isForTests({ actor }: WorkspaceCtx): boolean {
  return actor.kind === "api-key" && actor.mode === "test";
}

/** A key for tests makes such keys only: its calls are free and must not turn into live ones. */
export function modeOf(ctx: WorkspaceCtx, wanted: KeyMode | undefined): KeyMode {
  if (!isForTests(ctx)) return wanted ?? "live";
  if (wanted === "live") throw beyond("A key for tests makes keys for tests only.");
  return "test";
}

export function requireMode(ctx: WorkspaceCtx, row: ApiKeyRow): void {
  if (row.mode === "live" && isForTests(ctx))
    throw new Problem("permission-denied", { detail: "A key for tests changes keys for tests only." });
}

function isLimited(key: ApiKeyRow): boolean {
  return key.limits.length > 0 || key.budgets.length > 0;
}

/** A key that has limits or budgets makes none: each would have them anew, and together they would have none. */
export function refuseMultiplying(maker: ApiKeyRow | null): void {
  if (maker && isLimited(maker)) throw beyond("A key with limits or budgets of its own makes no keys.");
}

/** A key ends with the key that made it: what was lent for a day does not stay by making another. */
export function endWithin(maker: ApiKeyRow | null, wanted: number | null): number | null {
  const latest = maker?.expiresAt ?? null;
  return wanted === null || latest === null ? (wanted ?? latest) : Math.min(wanted, latest);
}

/** The addresses that were asked for or, left out, those of the maker. */
export function addressesWithin(maker: ApiKeyRow | null, wanted: string[] | undefined): string[] {
  const most = maker?.allowedAddresses ?? [];
  const addresses = wanted ?? most;
  if (!isNarrower(addresses, most)) throw beyond("Only addresses of the key that asks.", { allowedAddresses: most });
  return addresses;
}

/** The models that were asked for or, left out, those of the maker. A sub-user's own list holds at each use, too. */
export function modelsWithin(ctx: WorkspaceCtx, maker: ApiKeyRow | null, wanted: string[] | undefined): string[] {
  const most = maker?.allowedModels ?? ["*"];
  const own = ctx.subUser?.permissions.allowed_models ?? ["*"];
  if (wanted === undefined) return most;
  if (!areWithin(wanted, most) || !areWithin(wanted, own))
    throw beyond("Only models that you may use yourself.", { allowedModels: areWithin(wanted, most) ? own : most });
  return wanted;
}

/** The key's text, or its being switched on again, is worth all that it may do: that has to be within what the asker may do. */
export function requireWithin(ctx: WorkspaceCtx, maker: ApiKeyRow | null, row: ApiKeyRow): void {
  refuseEscalation(ctx, row.scopes);
  if (!maker || maker.id === row.id) return;
  refuseMultiplying(maker);
  if (maker.expiresAt !== null && (row.expiresAt === null || row.expiresAt > maker.expiresAt))
    throw beyond("The key lives longer than the key that asks.");
  if (!isNarrower(row.allowedAddresses, maker.allowedAddresses)) throw beyond("Only addresses of the key that asks.");
  if (!areWithin(row.allowedModels, maker.allowedModels)) throw beyond("Only models of the key that asks.");
}

type Restrictions = Pick<ApiKeyRow, "limits" | "budgets" | "expiresAt" | "allowedAddresses">;

/** A key does not take restrictions from itself or from others that it has itself. */
export function requireRestrictions(maker: ApiKeyRow | null, before: ApiKeyRow, next: Restrictions): void {
  if (!maker) return;
  const isChanged = (of: (row: Restrictions) => unknown) => JSON.stringify(of(before)) !== JSON.stringify(of(next));
  if (isLimited(maker) && (isChanged((row) => row.limits) || isChanged((row) => row.budgets)))
    throw beyond("A key with limits or budgets of its own changes none.");
  const isLonger = next.expiresAt === null || (maker.expiresAt !== null && next.expiresAt > maker.expiresAt);
  if (maker.expiresAt !== null && isChanged((row) => row.expiresAt) && isLonger)
    throw beyond("A key ends with the key that asks at the latest.");
  if (isChanged((row) => row.allowedAddresses) && !isNarrower(next.allowedAddresses, maker.allowedAddresses))
    throw beyond("Only addresses of the key that asks.", { allowedAddresses: maker.allowedAddresses });
}
