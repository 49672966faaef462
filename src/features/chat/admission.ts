/**
 * Money and tokens of one model request: set aside what it can come to at most before any provider is asked, and charge what it came to afterwards,
 * out of what this isolate holds of the budget: most requests ask the ledger for nothing.
 */
import type { Target, TokenUsage } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { isTestMode } from "#core/test-mode";
import { costMicroUsd } from "#features/models/service";
import {
  type Amounts,
  type Hold,
  leftBeside,
  putBackUsage,
  releaseUsage,
  reserveUsage,
  settleUsage,
  takeUsage,
  type Ticket,
} from "#features/usage/service";
import { defaultAnswerTokens, type Estimate } from "./estimate.ts";
import type { JsonObject } from "#adapters/llm/dialect";
import type { Operation } from "./operations.ts";
import { recordedUse } from "./recorded-use.ts";

/** Longer than the longest call, and the settlement after it. */
const namedHoldMs = 1_200_000;

export interface Admitted {
  /** As the record of uses names it. */
  operation: string;
  /** Null: the request costs nothing, or has a reservation of its own. */
  ticket: Ticket | null;
  /** Of a call that has a name, so that one which is repeated is charged once. */
  hold: Hold | null;
  /** Charged when the call succeeds. */
  credits: number;
  /** What the workspace has left when nothing of this request's share is used; null: no limit. */
  tokensLeft: number | null;
  moneyLeftMicroUsd: number | null;
}

export function outputTokensMax({ outputTokensMax: asked, answers }: Estimate, targets: readonly Target[]): number {
  const most = Math.max(...targets.map(({ facts }) => facts.maxOutputTokens), 0);
  return asked ?? Math.min(defaultAnswerTokens, most || defaultAnswerTokens) * answers;
}

/** Throws `quota-exceeded`; nothing is held then. */
export async function admit(
  ctx: WorkspaceCtx,
  targets: readonly Target[],
  asked: { operation: string; estimate: Estimate; model: string; credits: number; reservationId: string | undefined },
): Promise<Admitted> {
  const { estimate, ...named } = asked;
  const { inputTokensMax: inputTokens } = estimate;
  const outputTokens = outputTokensMax(estimate, targets);
  const usage: TokenUsage = { inputTokens, cachedInputTokens: 0, outputTokens, estimated: true };
  return admitUpTo(ctx, targets, { usage, amounts: { aiTokens: inputTokens + outputTokens }, ...named });
}

interface Most {
  operation: string;
  usage: TokenUsage;
  amounts: Amounts;
  model: string;
  credits?: number;
  reservationId?: string | undefined;
}

/** Sets aside these amounts and what the use costs at most. Throws `quota-exceeded`; nothing is held then. */
export async function admitUpTo(ctx: WorkspaceCtx, targets: readonly Target[], most: Most): Promise<Admitted> {
  const { operation, usage, model, credits = 0, reservationId } = most;
  // It reaches the sandbox only, and pays nothing for it.
  const nothing = { operation, ticket: null, hold: null, credits, tokensLeft: null, moneyLeftMicroUsd: null };
  if (isTestMode(ctx)) return nothing;
  // Whichever of them answers in the end, it fits.
  const moneyMicroUsd = Math.max(...targets.map((target) => costMicroUsd(target, usage)), 0);
  const held: Amounts = { ...most.amounts, moneyMicroUsd };
  const amounts = { ...held, ...(credits > 0 ? { credits } : {}) };
  if (reservationId !== undefined) {
    const hold = await reserveUsage(ctx, { reservationId, amounts, model, ttlMs: namedHoldMs });
    // What else is left it is not told; that there is a limit, it has to know.
    const least = (meter: ShownMeter) => (isLimited(hold, meter) ? (held[meter] ?? 0) : null);
    return { ...nothing, hold, tokensLeft: least("aiTokens"), moneyLeftMicroUsd: least("moneyMicroUsd") };
  }
  const ticket = await takeUsage(ctx, { amounts, model });
  const left = (meter: ShownMeter): number | null => {
    const beside = leftBeside(ticket, meter);
    return beside === null ? null : beside + (held[meter] ?? 0);
  };
  return { ...nothing, ticket, tokensLeft: left("aiTokens"), moneyLeftMicroUsd: left("moneyMicroUsd") };
}

type ShownMeter = "aiTokens" | "moneyMicroUsd";

function isLimited({ meters, budgets }: Hold, meter: ShownMeter): boolean {
  return (
    meters.some((line) => line.meter === meter && line.limit !== null) || budgets.some((one) => one.meter === meter)
  );
}

/**
 * The provider is held to what was reserved wherever there is something to overspend. Without a limit a caller who named no length gets what the
 * model gives.
 */
export function withLengthLimit(
  operation: Operation,
  body: JsonObject,
  about: { estimate: Estimate; admitted: Admitted; targets: readonly Target[] },
): JsonObject {
  const { estimate, admitted, targets } = about;
  const [newest] = operation.lengthMembers;
  const isLimited = admitted.tokensLeft !== null || admitted.moneyLeftMicroUsd !== null;
  if (newest === undefined || estimate.outputTokensMax !== null || !isLimited) return body;
  return { ...body, [newest]: Math.floor(outputTokensMax(estimate, targets) / estimate.answers) };
}

export interface Bill {
  provider: string;
  /** It broke off; what was delivered is charged. */
  isCut?: boolean;
  usage: TokenUsage;
  costMicroUsd: number;
  tokensLeft: number | null;
  moneyLeftMicroUsd: number | null;
}

export function billOf(target: Target, admitted: Admitted, usage: TokenUsage): Bill {
  const cost = costMicroUsd(target, usage);
  const tokens = usage.inputTokens + usage.outputTokens;
  const minus = (left: number | null, spent: number) => (left === null ? null : Math.max(left - spent, 0));
  return {
    provider: target.provider,
    usage,
    costMicroUsd: cost,
    tokensLeft: minus(admitted.tokensLeft, tokens),
    moneyLeftMicroUsd: minus(admitted.moneyLeftMicroUsd, cost),
  };
}

/** Like `conclude`, for work that is measured in something else than tokens. Once for each request. */
export function concludeWith(
  ctx: WorkspaceCtx,
  admitted: Admitted,
  ended: { amounts: Amounts; bill: Bill | null },
): void {
  const { amounts, bill } = ended;
  if (admitted.ticket) putBackUsage(ctx, admitted.ticket, { amounts, use: useOf(admitted, amounts, bill) });
}

function useOf({ operation }: Admitted, charged: Amounts, bill: Bill | null) {
  const { provider = "", usage = null, isCut = false } = bill ?? {};
  return recordedUse({ operation, provider, usage, charged, hasFailed: bill === null || isCut });
}

/** Null: the call failed, and costs nothing. Once for each request. */
export function conclude(ctx: WorkspaceCtx, admitted: Admitted, bill: Bill | null): void {
  const { ticket, hold, credits } = admitted;
  const { inputTokens, outputTokens } = bill?.usage ?? { inputTokens: 0, outputTokens: 0 };
  const used = {
    aiTokens: inputTokens + outputTokens,
    moneyMicroUsd: bill?.costMicroUsd ?? 0,
    ...(credits > 0 && bill ? { credits } : {}),
  };
  const use = useOf(admitted, used, bill);
  if (ticket) putBackUsage(ctx, ticket, { amounts: used, use });
  if (!hold) return;
  const ended = { ...hold, uses: [use] };
  ctx.later(bill ? settleUsage(ctx, ended, used) : releaseUsage(ctx, ended));
}
