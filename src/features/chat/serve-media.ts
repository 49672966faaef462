/**
 * The walk of a model request whose body or answer is no JSON: recordings, speech, pictures that are edited. It is measured in what its operation is
 * sold by, and an answer that breaks off is charged to nobody.
 */
import type { Target, TokenUsage } from "#adapters/llm/contract";
import type { JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { costMicroUsd, targetsOf } from "#features/models/service";
import type { Amounts } from "#features/usage/service";
import { type Admitted, admitUpTo, type Bill, billOf, concludeWith } from "./admission.ts";
import type { Outgoing } from "./attempt.ts";
import { noteAnswer } from "./note.ts";
import type { Operation } from "./operations.ts";
import { readPatience } from "./patience.ts";
import { type Answered, type Begin, tryTargets } from "./try-targets.ts";

/** What a use is counted as beside its money: tokens for most, seconds for recordings. */
export type Count = (usage: TokenUsage) => Amounts;

export interface MediaRequest<Begun> {
  operation: Operation;
  model: string;
  request: Request;
  /** Sent as JSON where there is nothing else to send. */
  body: JsonObject;
  outgoing?: Outgoing;
  stickTo?: string | undefined;
  sizeBytes: number;
  /** At most; it is set aside before anybody is asked. */
  most: TokenUsage;
  count: Count;
  begin: Begin<Begun>;
}

export interface MediaAnswer<Begun> extends Answered<Begun> {
  /** What the use will be charged as, for the headers. */
  billOf(usage: TokenUsage): Bill;
  /** Charges it; null: it failed, and costs nothing. Once. */
  settle(usage: TokenUsage | null): void;
}

export const tokensCount: Count = ({ inputTokens, outputTokens }) => ({ aiTokens: inputTokens + outputTokens });

/** Throws a problem when nobody answers; then nothing is charged. */
export async function askForMedia<Begun>(ctx: WorkspaceCtx, asked: MediaRequest<Begun>): Promise<MediaAnswer<Begun>> {
  const { operation, model, request, body, outgoing, most } = asked;
  const begunMs = ctx.now();
  const patience = readPatience(request, { isStream: false });
  const targets = await mediaTargets(ctx, asked);
  const named = { operation: operation.name, model };
  const admitted = await admitUpTo(ctx, targets, { ...named, usage: most, amounts: asked.count(most) });
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(patience.totalMs)]);
  const call = { operation, body, isStream: false, patience, signal, ...(outgoing ? { outgoing } : {}) };
  try {
    const answered = await tryTargets(ctx, targets, { call, begin: asked.begin });
    const { target } = answered;
    return {
      ...answered,
      billOf: (usage) => billOf(target, admitted, usage),
      settle: (usage) => settle(ctx, { asked, admitted, target, usage, begunMs }),
    };
  } catch (error) {
    concludeWith(ctx, admitted, { amounts: {}, bill: null });
    throw error;
  }
}

/** Other companies' own APIs have no such operations. */
async function mediaTargets<Begun>(ctx: WorkspaceCtx, asked: MediaRequest<Begun>): Promise<Target[]> {
  const { operation, model, sizeBytes, stickTo } = asked;
  const about = { capability: operation.capability, sizeBytes, ...(stickTo === undefined ? {} : { stickTo }) };
  const targets = (await targetsOf(ctx, model, about)).filter(({ dialect }) => dialect === "openai");
  if (targets.length > 0) return targets;
  throw new Problem("model-capability-missing", { members: { param: "model" } });
}

interface Settling {
  asked: Pick<MediaRequest<unknown>, "operation" | "count">;
  admitted: Admitted;
  target: Target;
  usage: TokenUsage | null;
  begunMs: number;
}

function settle(ctx: WorkspaceCtx, { asked, admitted, target, usage, begunMs }: Settling): void {
  const amounts = usage ? { ...asked.count(usage), moneyMicroUsd: costMicroUsd(target, usage) } : {};
  concludeWith(ctx, admitted, { amounts, bill: usage ? billOf(target, admitted, usage) : null });
  const error = usage ? null : "stream-broken";
  noteAnswer(ctx, { operation: asked.operation, begunMs, target, usage, error });
}

/** A page where something else was promised: a provider behind a broken proxy. */
export function isPage(head: string): boolean {
  return /^\s*<(?:!doctype html|html)/i.test(head.slice(0, 200));
}
