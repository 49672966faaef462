/**
 * What an editor extension (system C) asks for. Its members keep their names, but the key in them is a key of the person's session, for
 * this product's own gateway: no key of a provider ever leaves.
 */
import type { WorkspaceCtx } from "#core/context";
import { readAllowance } from "./allowance.ts";
import { currentUser, toUser } from "./people.ts";
import { ensureSessionKey } from "./session-keys.ts";
import { currentSession } from "./sessions.ts";
import type { SignedInUser } from "./sign-in.ts";
import type { Ctx } from "#core/context";

/** Names that the extension knows; the gateway resolves each to whichever provider has it. */
const models = ["gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet", "gemini-1.5-pro"];

const endpointOf = (ctx: Ctx) => `${ctx.settings.publicUrl}/v1`;

export async function extensionSignIn(ctx: Ctx, signedIn: SignedInUser) {
  const { user, plan, overrides, workspaceId, tokens, sessionKey } = signedIn;
  const { apiCalls, tokensUsed } = await readAllowance({ ...ctx, plan, overrides, workspaceId });
  return {
    ...tokens,
    user: { ...toUser(user, plan), monthly_usage: { api_calls: apiCalls, tokens_used: tokensUsed } },
    a4f_api_key: sessionKey,
    api_endpoint: endpointOf(ctx),
  };
}

export async function extensionConfig(ctx: WorkspaceCtx) {
  const user = await currentUser(ctx);
  const key = await ensureSessionKey(ctx, user, currentSession(ctx));
  const endpoint = endpointOf(ctx);
  return {
    config: {
      a4f_api_key: key,
      api_endpoint: endpoint,
      providers: { a4f: { enabled: key !== null, base_url: endpoint, models, priority: 1 } },
      model_routing: { popular_models_to_a4f: true, default_provider: "a4f" },
    },
  };
}
