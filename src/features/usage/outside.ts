/**
 * Tokens for work that is done elsewhere: held, consumed and given back by whoever does it, and the limits that it would meet. What is done in
 * test mode meets no limit and counts nowhere, and is not found by a live caller.
 */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { isTestMode } from "#core/test-mode";
import {
  chargeMeters,
  consumeOutside,
  giveBackOutside,
  type Held,
  holdOutside,
  type MeteredName,
  type MeterState,
  type ModelUse,
  type NotOpen,
  purseCalls,
  readStanding,
  settlePurses,
  type Standing,
} from "#durable/ledger/client";
import { holdOf, quotaExceeded } from "./quotas.ts";
import { standingOf } from "./rules.ts";

/** So many of a workspace at a time: they live in the memory of one object. */
const openMax = 1_000;

export interface OutsideWork {
  /** Names the work: a repeated call counts once. */
  id: string;
  tokens: number;
  model?: string | undefined;
}

function nameOf(ctx: WorkspaceCtx, id: string): string {
  return `${isTestMode(ctx) ? "tokens-test" : "tokens"}:${id}`;
}

function countedTokens(ctx: WorkspaceCtx, tokens: number): number {
  return isTestMode(ctx) ? 0 : tokens;
}

function claimOf(ctx: WorkspaceCtx, { id, tokens, model }: OutsideWork) {
  const amounts = { aiTokens: countedTokens(ctx, tokens) };
  return holdOf(ctx, { reservationId: nameOf(ctx, id), amounts, ...(model === undefined ? {} : { model }) });
}

/** Throws `quota-exceeded` or `too-many-token-reservations`; nothing is held then. */
export async function holdTokens(ctx: WorkspaceCtx, work: OutsideWork & { ttlMs: number }) {
  const nowMs = ctx.now();
  const request = { ...claimOf(ctx, work), ttlMs: work.ttlMs, openMax, nowMs };
  let held = await holdOutside(ctx.objects.LEDGER, request);
  if (isShort(held)) {
    // What model requests of a moment ago did not need may not have returned yet.
    await settleOwn(ctx);
    held = await holdOutside(ctx.objects.LEDGER, request);
  }
  if (isShort(held)) throw quotaExceeded(held.short, nowMs);
  if (!held.ok) throw new Problem("too-many-token-reservations", { members: { limit: openMax } });
  return { expiresAtMs: held.expiresAtMs, tokensLeft: tokensLeft(held.meters) };
}

function isShort(held: Held): held is Extract<Held, { short: unknown }> {
  return !held.ok && "short" in held;
}

/** Charges what the work came to, once for each id. Throws a problem when the reservation cannot be consumed (any more). */
export async function consumeTokens(ctx: WorkspaceCtx, work: OutsideWork & { use: ModelUse }) {
  const { id, tokens, use } = work;
  const consumed = await consumeOutside(ctx.objects.LEDGER, {
    ...whoseHold(ctx, id),
    meter: "aiTokens",
    amount: countedTokens(ctx, tokens),
    uses: isTestMode(ctx) ? [] : [use],
  });
  if (!consumed.ok) throw notOpenProblem(consumed);
  return { charged: isTestMode(ctx) ? tokens : consumed.charged, tokensLeft: tokensLeft(consumed.meters) };
}

/** Charges work that nothing was reserved for. Throws `quota-exceeded` and charges nothing when it does not fit. */
export async function chargeTokens(ctx: WorkspaceCtx, work: OutsideWork & { use: ModelUse }) {
  const uses = isTestMode(ctx) ? [] : [work.use];
  const request = { ...claimOf(ctx, work), uses, nowMs: ctx.now() };
  let charged = await chargeMeters(ctx.objects.LEDGER, request);
  if (!charged.ok) {
    await settleOwn(ctx);
    charged = await chargeMeters(ctx.objects.LEDGER, request);
  }
  if (!charged.ok) throw quotaExceeded(charged.short, ctx.now());
  return { charged: work.tokens, tokensLeft: tokensLeft(charged.meters) };
}

/** Throws a problem when there is nothing to give back (any more). */
export async function giveBackTokens(ctx: WorkspaceCtx, id: string) {
  const given = await giveBackOutside(ctx.objects.LEDGER, whoseHold(ctx, id));
  if (!given.ok) throw notOpenProblem(given);
  return { returned: given.returned, tokensLeft: tokensLeft(given.meters) };
}

function whoseHold(ctx: WorkspaceCtx, id: string) {
  const { workspaceId, userId } = ctx;
  return { workspaceId, userId, reservationId: nameOf(ctx, id), nowMs: ctx.now() };
}

const problemOf = {
  unknown: "token-reservation-not-found",
  expired: "token-reservation-expired",
  released: "token-reservation-released",
  settled: "token-reservation-consumed",
} as const;

function notOpenProblem({ reason }: NotOpen): Problem {
  return new Problem(problemOf[reason]);
}

/** The least of all limits on the caller; null: none. */
function tokensLeft(meters: readonly MeterState[]): number | null {
  const left = meters.filter(({ meter }) => meter === "aiTokens").flatMap((state) => standingOf(state).available ?? []);
  return left.length === 0 ? null : Math.min(...left);
}

/** Every limit on what the caller may use of these meters: the workspace's, and those of the person and the key. */
export async function limitsOn(ctx: WorkspaceCtx, meters: readonly MeteredName[]): Promise<Standing[]> {
  await settleOwn(ctx);
  const amounts = Object.fromEntries(meters.map((meter) => [meter, 1]));
  const { workspaceId, scopes, budgets, meters: lines } = holdOf(ctx, { reservationId: "", amounts });
  return readStanding(ctx.objects.LEDGER, { workspaceId, meters: lines, scopes, budgets, nowMs: ctx.now() });
}

async function settleOwn(ctx: WorkspaceCtx): Promise<void> {
  const { workspaceId } = ctx;
  await settlePurses(purseCalls(ctx.objects.LEDGER), { workspaceId, nowMs: ctx.now() });
}
