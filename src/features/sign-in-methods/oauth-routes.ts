/** /v1/auth/providers, /oauth, /{provider}, /token and /identities: signing in at a provider. */
import { providerLabel } from "#adapters/sign-in/providers";
import type { Ctx } from "#core/context";
import { endpoint, rawEndpoint } from "#core/endpoint";
import { Problem } from "#core/problem";
import { requireRecentProof, signIn, toUser } from "#features/accounts/service";
import { signedInUser } from "./caller.ts";
import { linkArrived, redeem, signInArrived, toIdentity, unlink } from "./linking.ts";
import * as oauth from "./oauth.ts";
import * as shapes from "./oauth-shapes.ts";
import { recentProofProblems } from "./proof-shapes.ts";
import { listIdentities } from "./store.ts";

const startProblems = ["sign-in-provider-not-found", "redirect-uri-not-allowed", "code-challenge-required"] as const;
const arrivalProblems = [
  "sign-in-state-invalid",
  "sign-in-refused",
  "sign-in-provider-failed",
  "provider-email-unverified",
  "link-required",
  "identity-taken",
  "identity-not-expected",
  "sign-up-closed",
  "sign-in-failed",
  "second-factor-required",
] as const;

/** A linked account signs in from then on, so a session alone is not enough. */
async function linkingUser(ctx: Ctx, request: Request, password: string | undefined): Promise<string> {
  const { id } = await requireRecentProof(ctx, await signedInUser(ctx, request), password);
  return id;
}

async function answerHere(ctx: Ctx, provider: string, request: Request): Promise<Response> {
  const end = await oauth.comeBack(ctx, provider, request);
  if ("response" in end) return end.response;
  if (end.arrival.kind !== "sign-in") throw new Problem("sign-in-state-invalid");
  const { user, plan, tokens } = await signInArrived(ctx, end.arrival, "access-token");
  return Response.json(
    { ...tokens, user: toUser(user, plan) },
    { headers: { "cache-control": "no-store", "referrer-policy": "no-referrer", "set-cookie": end.cookie } },
  );
}

export const oauthRoutes = [
  endpoint({
    name: "listSignInProviders",
    method: "get",
    path: "/v1/auth/providers",
    summary: "Providers that people can sign in with here",
    access: "public",
    limit: "open",
    returns: shapes.providersShape,
    handle: (ctx) => {
      const configured = Object.entries(ctx.settings.signInProviders);
      return {
        providers: configured.map(([name]) => name),
        details: configured.map(([name, { displayName }]) => ({
          name,
          displayName: providerLabel(name, displayName),
          loginUrl: `${ctx.settings.publicUrl}/v1/auth/${name}/login`,
        })),
      };
    },
  }),
  endpoint({
    name: "initiateOauth",
    method: "post",
    path: "/v1/auth/oauth/initiate",
    summary: "Begin to sign in, or to link an account, at a provider",
    description:
      "Open `auth_url` in the browser. With `redirect_uri` the browser returns there with `code` (or `error`) and `state`; exchange the code at POST /v1/auth/token. With `link` or `link_ticket` the caller has to be signed in, sends the password (or, without one, has signed in within 10 minutes), and exchanges the code in the same session.",
    access: "public",
    limit: "open",
    body: shapes.initiateBody,
    returns: shapes.initiatedShape,
    problems: [
      ...startProblems,
      "credentials-required",
      "credentials-invalid",
      "credentials-expired",
      "sign-in-ticket-invalid",
      "user-not-found",
      ...recentProofProblems,
      "server-owned-member",
    ],
    handle: async (ctx, { body, request }) => {
      const links = body.link || body.link_ticket !== undefined;
      const begun = await oauth.begin(ctx, {
        provider: body.provider,
        redirectUri: body.redirect_uri,
        codeChallenge: body.code_challenge,
        linkTo: links ? await linkingUser(ctx, request, body.password) : undefined,
        linkTicket: body.link_ticket,
      });
      return { auth_url: begun.authUrl, state: begun.state, expires_in: begun.expiresIn };
    },
  }),
  rawEndpoint({
    name: "loginAtProvider",
    method: "get",
    path: "/v1/auth/{provider}/login",
    summary: "Send the browser to a provider",
    access: "public",
    limit: "open",
    params: shapes.providerParams,
    query: shapes.loginQuery,
    produces: { "text/plain": "Nothing: a redirect to the provider." },
    status: 302,
    problems: [...startProblems, "sign-in-state-invalid", "sign-in-provider-failed"],
    handle: async (ctx, { params, query }) => {
      const { provider } = params;
      const begun =
        query.state === undefined
          ? await oauth.begin(ctx, {
              provider,
              redirectUri: query.redirect_uri,
              codeChallenge: query.code_challenge,
            })
          : null;
      return oauth.goToProvider(ctx, provider, begun?.state ?? query.state ?? "");
    },
  }),
  rawEndpoint({
    name: "returnFromProvider",
    method: "get",
    path: "/v1/auth/{provider}/callback",
    summary: "Where a provider sends the browser back to",
    description:
      "Redirects to the `redirect_uri` of the sign-in with a one-time code; without one it answers a session, as POST /v1/auth/login does.",
    access: "public",
    limit: "sign-in",
    params: shapes.providerParams,
    produces: { "application/json": "A session with its user, where no redirect_uri was given." },
    problems: ["sign-in-provider-not-found", ...arrivalProblems],
    handle: (ctx, { params, request }) => answerHere(ctx, params.provider, request),
  }),
  endpoint({
    name: "exchangeReturnCode",
    method: "post",
    path: "/v1/auth/token",
    summary: "Exchange the one-time code of a sign-in for a session",
    description:
      "The code works once, for two minutes, with the verifier of the code_challenge. A linking code needs the session that asked for it. After `second-factor-required`, send ticket and totp_code or recovery_code.",
    access: "public",
    limit: "sign-in",
    body: shapes.exchangeBody,
    acceptsForm: true,
    returns: shapes.exchangedShape,
    problems: [
      "return-code-invalid",
      "identity-taken",
      "credentials-required",
      "credentials-invalid",
      "credentials-expired",
      "sign-in-failed",
      "second-factor-required",
      "second-factor-wrong",
      "second-factor-locked",
      "sign-in-ticket-invalid",
      "hashing-busy",
      "server-owned-member",
    ],
    handle: async (ctx, { body, request }) => {
      if (body.ticket !== undefined) {
        const { user, plan, tokens } = await signIn(ctx, body);
        return { ...tokens, user: toUser(user, plan) };
      }
      const arrival = await redeem(ctx, body.code ?? "", body.code_verifier ?? "");
      if (arrival.kind === "link")
        return { identity: await linkArrived(ctx, arrival, await signedInUser(ctx, request)) };
      const { user, plan, tokens } = await signInArrived(ctx, arrival, body.sessionKind);
      return { ...tokens, user: toUser(user, plan) };
    },
  }),
  endpoint({
    name: "listIdentities",
    method: "get",
    path: "/v1/auth/identities",
    summary: "Accounts elsewhere that open this account",
    access: "session",
    returns: shapes.identitiesShape,
    handle: async (ctx) => ({ items: (await listIdentities(ctx.db, ctx.userId)).map(toIdentity) }),
  }),
  endpoint({
    name: "deleteIdentity",
    method: "delete",
    path: "/v1/auth/identities/{id}",
    summary: "Remove an account elsewhere; the last way to sign in stays",
    access: "session",
    params: shapes.identityParams,
    problems: ["identity-not-found", "last-sign-in-method"],
    handle: (ctx, { params }) => unlink(ctx, params.id),
  }),
];
