/** What is kept of a model request beside its money, once it is over: behind the answer, out of memory, and nothing is decided by it. */
import type { Target, TokenUsage } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { listCostMicroUsd } from "#features/models/service";
import { noteOwnKeyUse } from "#features/provider-keys/service";
import type { Operation } from "./operations.ts";

export interface Answer {
  operation: Operation;
  begunMs: number;
  target: Target;
  /** Null: it failed, and costs nothing. */
  usage: TokenUsage | null;
  /** In one word, such as `stream-broken`. */
  error: string | null;
}

/** The one place that hears of every answer of a provider. */
export function noteAnswer(ctx: WorkspaceCtx, { operation, begunMs, target, usage, error }: Answer): void {
  if (target.ownKeyId === null) return;
  noteOwnKeyUse(ctx, {
    keyId: target.ownKeyId,
    endpoint: operation.name,
    status: error === null ? 200 : 502,
    durationMs: ctx.now() - begunMs,
    tokens: usage ? usage.inputTokens + usage.outputTokens : 0,
    costMicroUsd: usage ? listCostMicroUsd(target, usage) : 0,
    error,
  });
}
