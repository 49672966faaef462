/** What the workspace's plan gives and what of it is used, in the numbers that older clients show: model tokens, calls and credits. */
import { type Measured, usageOf } from "#features/usage/service";

/** `null`: no limit. Tokens and calls of the running month, credits of the running day. */
export interface Allowance {
  tokensLimit: number | null;
  tokensUsed: number;
  apiCalls: number;
  creditsLimit: number | null;
  creditsUsed: number;
}

export async function readAllowance(ctx: Measured): Promise<Allowance> {
  const { usage, limits } = await usageOf(ctx);
  return {
    tokensLimit: limits.aiTokens,
    tokensUsed: Math.round(usage.aiTokens),
    apiCalls: Math.round(usage.apiCalls),
    creditsLimit: limits.credits,
    creditsUsed: Math.round(usage.credits),
  };
}
