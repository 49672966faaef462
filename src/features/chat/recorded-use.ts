/** A model request as the record of uses has it. What is charged is decided elsewhere (admission.ts). */
import type { TokenUsage } from "#adapters/llm/contract";
import type { Amounts, ModelUse } from "#features/usage/service";

export interface Outcome {
  operation: string;
  /** Empty: nobody answered. */
  provider: string;
  usage: TokenUsage | null;
  charged: Amounts;
  hasFailed: boolean;
}

const nothing = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0 };

/** What is not sold by tokens (recordings) has none here, whatever its provider counts. */
export function recordedUse({ operation, provider, usage, charged, hasFailed }: Outcome): ModelUse {
  const { aiTokens = null, moneyMicroUsd = 0 } = charged;
  const counted = usage === null || aiTokens === null ? nothing : usage;
  return {
    provider,
    operation,
    requests: 1,
    errors: hasFailed ? 1 : 0,
    estimated: usage?.estimated === true ? 1 : 0,
    tokens: aiTokens ?? 0,
    inputTokens: counted.inputTokens,
    cachedTokens: counted.cachedInputTokens,
    outputTokens: counted.outputTokens,
    moneyMicroUsd,
  };
}
