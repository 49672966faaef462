/**
 * Tells whether a key may do something now, for services that let our keys in. Only keys of the asker's own workspace are known here.
 * What a valid use costs is taken from the key's limits; a refused one costs nothing.
 */
import { permissionNames } from "#core/access";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { takeTokens, type Taken } from "#durable/rate-limiter/client";
import { releaseUsage, reserveUsage } from "#features/usage/service";
import { isAnsweredBy, readWordQuery, wordsOf, type WordQuery } from "#lib/word-query";
import { checkKey, isAllowedFrom, isApiKey, type KnownKey } from "./check.ts";
import { chargesOf, type Outcome } from "./rules.ts";
import type { ValidateKey } from "./shapes.ts";
import { readMetadata } from "./store.ts";
import { countUse } from "./usage.ts";

const trialMs = 1_000;

/** @param presented the credential of the request itself, which is validated when the body names none. */
export async function validateKey(ctx: WorkspaceCtx, given: ValidateKey, presented: string | null) {
  const query = readQuery(given.scopes);
  const text = given.key ?? presented ?? "";
  const found = await find(ctx, text);
  if (!found) return { valid: false, code: "NOT_FOUND" as const };
  const address = given.key === undefined ? ctx.origin.address : (given.address ?? null);
  const refused = found.refused ?? refusalOf(found.known, { query, address }) ?? (await usageRefusal(ctx, found.known));
  const taken = refused === null ? await take(ctx, found.known, given.cost) : null;
  const code = refused ?? (taken && !taken.allowed ? "RATE_LIMITED" : "VALID");
  countUse(ctx, found.known.id, code);
  return answerOf(ctx, found.known, { code, taken });
}

function readQuery(scopes: ValidateKey["scopes"]): WordQuery | null {
  if (scopes === undefined) return null;
  const query = typeof scopes === "string" ? readWordQuery(scopes) : { all: scopes.map((word) => ({ word })) };
  const strange = query ? wordsOf(query).filter((word) => !(permissionNames as readonly string[]).includes(word)) : [];
  if (query && strange.length === 0) return query;
  throw new Problem("scope-query-invalid", {
    detail: query ? `No such scope: ${strange.slice(0, 5).join(", ")}.` : "The question cannot be read.",
  });
}

async function find(ctx: WorkspaceCtx, text: string): Promise<{ known: KnownKey; refused: Outcome | null } | null> {
  if (!isApiKey(text)) return null;
  const check = await checkKey(ctx, text, ctx.now());
  if (!check.ok && check.reason === "unknown") return null;
  // A stranger's key is no key here; a sub-user sees its own only.
  const { key } = check.known;
  if (key.workspaceId !== ctx.workspaceId || (ctx.subUser && key.userId !== ctx.userId)) return null;
  const refused = check.ok ? null : check.reason === "disabled" ? "DISABLED" : "EXPIRED";
  return { known: check.known, refused };
}

function refusalOf(known: KnownKey, asked: { query: WordQuery | null; address: string | null }): Outcome | null {
  if (!isAllowedFrom(known, asked.address)) return "FORBIDDEN";
  const isEnough = asked.query === null || isAnsweredBy(asked.query, new Set<string>(known.key.scopes));
  return isEnough ? null : "INSUFFICIENT_PERMISSIONS";
}

/** Whether one more unit of each meter that the key has a budget of would fit: asked of the ledger, and given back at once. */
async function usageRefusal(ctx: WorkspaceCtx, { id, key }: KnownKey): Promise<Outcome | null> {
  if (key.budgets.length === 0) return null;
  const asKey: WorkspaceCtx = {
    ...ctx,
    actor: { kind: "api-key", userId: key.userId, keyId: id, mode: key.mode, scopes: key.scopes },
    userId: key.userId,
    keyBudgets: key.budgets,
    ...(key.subUser ? { subUser: key.subUser } : {}),
  };
  const amounts = Object.fromEntries(key.budgets.map(({ meter }) => [meter, 1]));
  try {
    const hold = await reserveUsage(asKey, {
      reservationId: `validate:${ctx.newId("event")}`,
      amounts,
      ttlMs: trialMs,
    });
    await releaseUsage(ctx, hold);
    return null;
  } catch (error) {
    if (error instanceof Problem && error.code === "quota-exceeded") return "USAGE_EXCEEDED";
    throw error;
  }
}

async function take(ctx: WorkspaceCtx, { id, key }: KnownKey, cost: number | undefined): Promise<Taken | null> {
  const [first, ...others] = chargesOf(key.limits, cost);
  if (!first) return null;
  const charges = [first, ...others] as const;
  const limits = [first.limit, ...others.map(({ limit }) => limit)] as const;
  const costs = charges.map((charge) => charge.cost);
  return takeTokens(ctx.objects.RATE_LIMITER, { principal: id, limits, costs }, { nowMs: ctx.now() });
}

async function answerOf(
  ctx: WorkspaceCtx,
  { id, key, endsAt }: KnownKey,
  { code, taken }: { code: Outcome; taken: Taken | null },
) {
  return {
    valid: code === "VALID",
    code,
    keyId: id,
    name: key.name,
    mode: key.mode,
    userId: key.userId,
    scopes: key.scopes,
    enabled: key.enabled,
    expiresAt: endsAt === null ? null : new Date(endsAt).toISOString(),
    metadata: await readMetadata(ctx.db, id),
    limit: taken && {
      name: taken.limit.name.slice("key:".length),
      quota: taken.limit.quota,
      windowSeconds: taken.limit.windowSeconds,
      remaining: taken.remaining,
      resetInSeconds: taken.resetInSeconds,
    },
  };
}
