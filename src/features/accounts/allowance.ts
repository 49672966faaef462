/** What the workspace's plan gives a person, in the two numbers that older clients show: model tokens a month and credits a day. */
import type { WorkspaceCtx } from "#core/context";
import { limitsOf } from "#core/plans";

/** `null`: no limit. */
export interface Allowance {
  tokensLimit: number | null;
  tokensUsed: number;
  apiCalls: number;
  creditsLimit: number | null;
  creditsUsed: number;
}

export async function readAllowance(ctx: Pick<WorkspaceCtx, "plan" | "overrides">): Promise<Allowance> {
  const { aiTokensPerMonth, creditsPerDay } = limitsOf(ctx.plan, ctx.overrides);
  return { tokensLimit: aiTokensPerMonth, tokensUsed: 0, apiCalls: 0, creditsLimit: creditsPerDay, creditsUsed: 0 };
}
