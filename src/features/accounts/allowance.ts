/** What the workspace's plan gives and what of it is used, in the numbers that older clients show: model tokens, calls and credits. */
import { type Measured, usageOf } from "#features/usage/service";

/** `null`: no limit. Tokens and calls of the running month, credits of the running day. */
export interface Allowance {
  tokensLimit: number | null;
  tokensUsed: number;
  apiCalls: number;
  creditsLimit: number | null;
  /** What may still be used now, with what was granted on top. */
  creditsLeft: number | null;
}

export async function readAllowance(ctx: Measured): Promise<Allowance> {
  const { usage, limits, resources } = await usageOf(ctx);
  return {
    tokensLimit: limits.aiTokens,
    tokensUsed: Math.round(usage.aiTokens),
    apiCalls: Math.round(usage.apiCalls),
    creditsLimit: limits.credits,
    creditsLeft: resources.credits.available,
  };
}
