/**
 * The walk of a model request whose body or answer is no JSON: recordings, speech, pictures that are edited. It is measured in what its operation is
 * sold by, and an answer that breaks off is charged to nobody.
 */
import type { Target, TokenUsage } from "#adapters/llm/contract";
import type { JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { levelOf } from "#features/message-logs/service";
import { costMicroUsd, targetsOf } from "#features/models/service";
import type { Amounts } from "#features/usage/service";
import { admitUpTo, type Bill, billOf, concludeWith } from "./admission.ts";
import type { Outgoing } from "./attempt.ts";
import { type Answer, type Begun as NotedRequest, noteAnswer, noteFailure } from "./note.ts";
import type { Operation } from "./operations.ts";
import { readPatience } from "./patience.ts";
import { type Answered, type Begin, tryTargets } from "./try-targets.ts";

/** What a use is counted as beside its money: tokens for most, seconds for recordings. */
export type Count = (usage: TokenUsage) => Amounts;

export interface MediaRequest<Begun> {
  operation: Operation;
  model: string;
  request: Request;
  /** Sent as JSON where there is nothing else to send; and what the log may show of the request. */
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
  settle(usage: TokenUsage | null, about?: Partial<Pick<Answer, "end" | "words" | "refusal">>): void;
}

export const tokensCount: Count = ({ inputTokens, outputTokens }) => ({ aiTokens: inputTokens + outputTokens });

/** Throws a problem when nobody answers; then nothing is charged. */
export async function askForMedia<Begun>(ctx: WorkspaceCtx, asked: MediaRequest<Begun>): Promise<MediaAnswer<Begun>> {
  const { operation, model, request, body } = asked;
  const level = levelOf(ctx, { request });
  const begun = { operation, model, body, isStream: false, begunMs: ctx.now(), request, level };
  try {
    return await askTargets(ctx, asked, begun);
  } catch (error) {
    noteFailure(ctx, begun, error);
    throw error;
  }
}

async function askTargets<Begun>(
  ctx: WorkspaceCtx,
  asked: MediaRequest<Begun>,
  noted: NotedRequest,
): Promise<MediaAnswer<Begun>> {
  const { operation, model, request, body, outgoing, most } = asked;
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
      settle(usage, { end = usage ? "whole" : "cut", words = () => null, refusal = null } = {}) {
        const amounts = usage ? { ...asked.count(usage), moneyMicroUsd: costMicroUsd(target, usage) } : {};
        concludeWith(ctx, admitted, { amounts, bill: usage ? billOf(target, admitted, usage) : null });
        noteAnswer(ctx, noted, { target, usage, end, words, refusal });
      },
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

/** A page where something else was promised: a provider behind a broken proxy. */
export function isPage(head: string): boolean {
  return /^\s*<(?:!doctype html|html)/i.test(head.slice(0, 200));
}
