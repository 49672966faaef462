/** Adds up what was asked of models, one entry for each provider and kind of request. Plain values only. */
import type { ModelUse } from "./meters.ts";

/** The ledger takes no more in one settlement; what comes beyond them is added to the last one. */
export const maxUses = 64;

/** Changes the list, which a purse has for itself: this is on the path of every request. */
export function addUse(uses: ModelUse[], use: ModelUse): void {
  const same = uses.findIndex(({ provider, operation }) => provider === use.provider && operation === use.operation);
  const index = same === -1 && uses.length === maxUses ? maxUses - 1 : same;
  const known = uses[index];
  if (known) uses[index] = sumOf(known, use);
  else uses.push(use);
}

function sumOf(one: ModelUse, other: ModelUse): ModelUse {
  return {
    provider: one.provider,
    operation: one.operation,
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    estimated: one.estimated + other.estimated,
    tokens: one.tokens + other.tokens,
    inputTokens: one.inputTokens + other.inputTokens,
    cachedTokens: one.cachedTokens + other.cachedTokens,
    outputTokens: one.outputTokens + other.outputTokens,
    moneyMicroUsd: one.moneyMicroUsd + other.moneyMicroUsd,
  };
}
