/** How an answer says what it cost and what is left: in headers, and in the member that system C's clients read. */
import type { Target } from "#adapters/llm/contract";
import type { Bill } from "./admission.ts";

export function servedHeaders({ target, attempts }: { target: Target; attempts: number }): Record<string, string> {
  return {
    "x-overtone-provider": target.provider,
    "x-overtone-model": target.publicModel,
    "x-overtone-attempts": String(attempts),
  };
}

export function budgetHeaders({ costMicroUsd, tokensLeft, moneyLeftMicroUsd }: Bill): Record<string, string> {
  return {
    "x-overtone-cost-micro-usd": String(costMicroUsd),
    ...(tokensLeft === null ? {} : { "x-overtone-tokens-remaining": String(tokensLeft) }),
    ...(moneyLeftMicroUsd === null ? {} : { "x-overtone-budget-remaining-micro-usd": String(moneyLeftMicroUsd) }),
  };
}

export interface UsageInfo {
  tokens_used: number;
  cost_usd: number;
  provider: string;
  remaining_tokens: number | null;
  estimated: boolean;
  cached: boolean;
}

export function usageInfoOf(provider: string, { usage, costMicroUsd, tokensLeft }: Bill): UsageInfo {
  return {
    tokens_used: usage.inputTokens + usage.outputTokens,
    cost_usd: costMicroUsd / 1_000_000,
    provider,
    remaining_tokens: tokensLeft,
    estimated: usage.estimated,
    cached: false,
  };
}

/** Put in at the end of the text: making the whole answer anew costs more than all the rest. */
export function withUsageInfo(text: string, info: UsageInfo): string {
  const end = text.lastIndexOf("}");
  const comma = /^\s*\{\s*$/.test(text.slice(0, end)) ? "" : ",";
  return `${text.slice(0, end)}${comma}"_usage_info":${JSON.stringify(info)}}`;
}
