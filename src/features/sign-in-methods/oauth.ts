/**
 * Signing in at a provider: from the first question to a session. A state works once, for ten minutes, in the browser that began, and for
 * the provider it was made for. Tokens never stand in an address: a client gets a code that only its own verifier turns into a session.
 */
import { providerNamed } from "#adapters/sign-in/providers";
import { type ProviderCall, type RoundTrip, toProblem } from "#adapters/sign-in/provider";
import type { Ctx } from "#core/context";
import type { MasterKey, SignInProvider } from "#core/env";
import { Problem } from "#core/problem";
import { keyedHash } from "./keys.ts";
import { type Arrival, arrive, type Destination } from "./linking.ts";
import { cookieOf, isChallenge, returnTarget, withParameters } from "./rules.ts";
import { keepOnce, takeOnce } from "./store.ts";
import { readTicket } from "./tickets.ts";

const stateMs = 10 * 60_000;
const returnCodeMs = 2 * 60_000;

export interface Start {
  provider: string;
  redirectUri?: string | undefined;
  codeChallenge?: string | undefined;
  /** The signed-in person who wants to link; a link ticket names the identity that has to come back. */
  linkTo?: string | undefined;
  linkTicket?: string | undefined;
}

function configOf(ctx: Ctx, name: string): SignInProvider {
  const config = Object.hasOwn(ctx.settings.signInProviders, name) ? ctx.settings.signInProviders[name] : undefined;
  if (!config) throw new Problem("sign-in-provider-not-found");
  return config;
}

/** Throws `redirect-uri-not-allowed` or `code-challenge-required`. */
function destinationOf(ctx: Ctx, start: Start): Destination {
  if (start.redirectUri === undefined) {
    if (start.linkTo !== undefined)
      throw new Problem("redirect-uri-not-allowed", { detail: "Linking needs a redirect_uri to return to." });
    return { target: null, challenge: null };
  }
  const origins = [...ctx.settings.allowedOrigins, new URL(ctx.settings.publicUrl).origin];
  const target = returnTarget(start.redirectUri, origins);
  if (target === null) throw new Problem("redirect-uri-not-allowed");
  if (start.codeChallenge === undefined || !isChallenge(start.codeChallenge))
    throw new Problem("code-challenge-required");
  return { target, challenge: start.codeChallenge };
}

/** Keeps the question; `authUrl` is ours, because the browser that follows it has to get its cookie first. */
export async function begin(ctx: Ctx, start: Start): Promise<{ authUrl: string; state: string; expiresIn: number }> {
  configOf(ctx, start.provider);
  const { target, challenge } = destinationOf(ctx, start);
  const ticket = start.linkTicket === undefined ? null : readTicket(ctx, start.linkTicket, "link");
  if (start.linkTicket !== undefined && (ticket === null || ticket.userId !== start.linkTo))
    throw new Problem("sign-in-ticket-invalid");
  const state = randomText(ctx);
  const data = {
    provider: start.provider,
    target,
    challenge,
    linkTo: start.linkTo ?? null,
    expected: ticket ? `${ticket.data["issuer"] ?? ""} ${ticket.data["subject"] ?? ""}` : null,
    keyVersion: ctx.settings.masterKeys[0].version,
  };
  await ctx.db.batch([keepOnce(ctx, "oauth-start", { secret: state, data, expiresAt: ctx.now() + stateMs })]);
  const authUrl = `${ctx.settings.publicUrl}/v1/auth/${start.provider}/login?state=${state}`;
  return { authUrl, state, expiresIn: stateMs / 1_000 };
}

function randomText(ctx: Ctx): string {
  return Buffer.from(ctx.random(32)).toString("base64url");
}

/** Binds the question to this browser and sends it to the provider. */
export async function goToProvider(ctx: Ctx, provider: string, state: string): Promise<Response> {
  const config = configOf(ctx, provider);
  const kept = await takeOnce(ctx, "oauth-start", state);
  if (!kept || kept.data["provider"] !== provider) throw new Problem("sign-in-state-invalid");
  const secret = randomText(ctx);
  const data = { ...kept.data, browser: keyedHash(ctx.settings.masterKeys[0], "one-time value", secret) };
  await ctx.db.batch([keepOnce(ctx, "oauth-state", { secret: state, data, expiresAt: kept.expiresAt })]);
  const trip = tripOf(ctx, { provider, state, master: ctx.settings.masterKeys[0] });
  let url: URL;
  try {
    url = await providerNamed(provider).authorizationUrl(callOf(ctx, config), trip);
  } catch (error) {
    ctx.log("warn", "sign-in.provider-failed", { provider, error });
    throw toProblem(error);
  }
  return redirect(url.href, cookieFor(ctx, state, { value: secret, maxAgeSeconds: stateMs / 1_000 }));
}

function callOf(ctx: Ctx, config: SignInProvider): ProviderCall {
  return { config, outbound: ctx.outbound, allowsHttp: ctx.settings.environment !== "production", nowMs: ctx.now() };
}

/** Verifier and nonce are functions of the state under keys of ours: nothing secret is stored for a round trip. */
function tripOf(ctx: Ctx, given: { provider: string; state: string; master: MasterKey }): RoundTrip {
  return {
    redirectUri: `${ctx.settings.publicUrl}/v1/auth/${given.provider}/callback`,
    state: given.state,
    codeVerifier: keyedHash(given.master, "verifier", given.state),
    nonce: keyedHash(given.master, "nonce", given.state),
  };
}

/** A name for each state, so that two tabs do not end one another's sign-in. `__Host-` exists with https only. */
function cookieName(ctx: Ctx, state: string): string {
  const name = `overtone-sign-in-${state.slice(0, 8)}`;
  return ctx.settings.publicUrl.startsWith("https:") ? `__Host-${name}` : name;
}

function cookieFor(ctx: Ctx, state: string, given: { value: string; maxAgeSeconds: number }): string {
  const secure = ctx.settings.publicUrl.startsWith("https:") ? "; Secure" : "";
  const { value, maxAgeSeconds } = given;
  return `${cookieName(ctx, state)}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure}`;
}

function redirect(location: string, cookie: string): Response {
  return new Response(null, {
    status: 302,
    headers: { location, "set-cookie": cookie, "cache-control": "no-store", "referrer-policy": "no-referrer" },
  });
}

interface Question {
  provider: string;
  target: string | null;
  challenge: string | null;
  linkTo: string | null;
  expected: string | null;
  trip: RoundTrip;
}

/** Throws `sign-in-state-invalid` for a state that is unknown, used, over, of another provider or of another browser. */
async function takeQuestion(ctx: Ctx, provider: string, request: Request): Promise<Question> {
  const state = new URL(request.url).searchParams.get("state") ?? "";
  const secret = /^[\w-]{43}$/.test(state) ? cookieOf(request.headers, cookieName(ctx, state)) : null;
  // Before the state is taken: whoever only learned it must not end the sign-in of its owner.
  if (secret === null) throw new Problem("sign-in-state-invalid");
  const kept = await takeOnce(ctx, "oauth-state", state);
  const data = kept?.data as (Omit<Question, "trip"> & { browser: string; keyVersion: number }) | undefined;
  const master = ctx.settings.masterKeys.find(({ version }) => version === data?.keyVersion);
  if (!data || !master || data.provider !== provider) throw new Problem("sign-in-state-invalid");
  if (keyedHash(master, "one-time value", secret) !== data.browser) throw new Problem("sign-in-state-invalid");
  return { ...data, trip: tripOf(ctx, { provider, state, master }) };
}

/** What the provider sends the browser back with. With a return target every end goes there; without one it is answered here. */
export async function comeBack(
  ctx: Ctx,
  provider: string,
  request: Request,
): Promise<{ response: Response } | { arrival: Arrival; cookie: string }> {
  const config = configOf(ctx, provider);
  const question = await takeQuestion(ctx, provider, request);
  const { target, trip } = question;
  const cookie = cookieFor(ctx, trip.state, { value: "", maxAgeSeconds: 0 });
  try {
    const arrival = await arrive(ctx, await identify(ctx, { config, question, request }), question);
    if (target === null || question.challenge === null) return { arrival, cookie };
    const code = randomText(ctx);
    const data = { challenge: question.challenge, arrival };
    await ctx.db.batch([keepOnce(ctx, "return-code", { secret: code, data, expiresAt: ctx.now() + returnCodeMs })]);
    return { response: redirect(withParameters(target, { code, state: trip.state }), cookie) };
  } catch (error) {
    if (target === null || !(error instanceof Problem)) throw error;
    const ticket = error.options.members?.["link_ticket"];
    const about: Record<string, string> = typeof ticket === "string" ? { link_ticket: ticket } : {};
    return { response: redirect(withParameters(target, { error: error.code, state: trip.state, ...about }), cookie) };
  }
}

async function identify(ctx: Ctx, given: { config: SignInProvider; question: Question; request: Request }) {
  const { config, question, request } = given;
  const callback = new URL(request.url).searchParams;
  try {
    const provider = providerNamed(question.provider);
    return await provider.identify(callOf(ctx, config), question.trip, callback);
  } catch (error) {
    const problem = toProblem(error);
    if (problem.code !== "sign-in-refused")
      ctx.log("warn", "sign-in.provider-failed", { provider: question.provider, error });
    throw problem;
  }
}
