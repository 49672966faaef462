/** Signing in at a provider as system C's clients do: the browser of its pages, and the editor that gets a one-time code (PKCE). */
import { randomBytes } from "node:crypto";
import { Browser } from "../sign-in/browser.ts";
import { makeVerifier } from "../sign-in/product.ts";
import type { Cast } from "./cast.ts";
import { type Answer, checkMembers, type Json, type LegacyClient } from "./client.ts";

const editor = "vscode://overtone.editor/signed-in";
const pair = { access_token: "string", refresh_token: "string", token_type: "string", expires_in: "number" };

export async function replayProviders(client: LegacyClient, { url, issuer }: Cast): Promise<void> {
  const subject = `sub-${randomBytes(6).toString("hex")}`;
  const email = `${subject}@example.com`;
  issuer.accounts.set(subject, { email, email_verified: true, name: "Carol Legacy" });
  const { body } = await client.call("GET", "/auth/providers", 200);
  client.check(
    Array.isArray(body?.providers) && body.providers.includes("google"),
    `shape: the providers are ${JSON.stringify(body)}`,
  );
  const inBrowser = await replayBrowser(client, { url, subject });
  checkSession(client, "callback", inBrowser);
  const inEditor = await replayEditor(client, { url, subject });
  checkSession(client, "token", inEditor);
  client.check(
    inEditor?.user?.id === inBrowser?.user?.id && inEditor?.user?.email === email,
    "answer: the same account elsewhere is another person",
  );
  const me = await client.call("GET", "/auth/me", 200, { token: String(inEditor?.access_token) });
  client.check(me.body?.user?.email === email, "answer: /auth/me is not who signed in");
  await client.call("POST", "/auth/refresh", 200, { body: { refresh_token: String(inEditor?.refresh_token) } });
  await replayRefusals(client);
}

function checkSession(client: LegacyClient, what: string, session: Json): void {
  checkMembers(client, what, session, { ...pair, user: "object" });
  checkMembers(client, `${what}.user`, session?.user, {
    id: "string",
    email: "string",
    name: "string",
    first_name: "string",
    last_name: "string",
    subscription_tier: "string",
    email_verified: "boolean",
  });
  client.check(session?.token_type === "bearer", `shape: ${what}.token_type is ${session?.token_type}`);
  client.check(session?.expires_in === 1_800, `shape: ${what}.expires_in is ${session?.expires_in}`);
}

interface Trip {
  url: string;
  subject: string;
}

/** Through the provider's pages; returns the query with which the provider sends the browser back, and the browser's cookies. */
async function travel({ url, subject }: Trip, start: string, cookieLines: string[]) {
  const browser = new Browser();
  for (const line of cookieLines) browser.keep(url, line);
  const visit = await browser.signIn(start, { subject, stopAt: `${url}/v1/auth/google/callback` });
  if (!visit.location?.includes("/auth/google/callback?"))
    throw new Error(`no callback: ${visit.status} ${visit.text}`);
  return { query: new URL(visit.location).search, headers: { cookie: browser.cookiesFor(url) } };
}

async function replayBrowser(client: LegacyClient, trip: Trip): Promise<Json> {
  const away = await client.call("GET", "/auth/google/login", 302);
  const back = await travel(trip, locationOf(away), away.headers.getSetCookie());
  const path = `/auth/google/callback${back.query}`;
  const answer = await client.call("GET", path, 200, { headers: back.headers });
  const again = await client.call("GET", path, 400, { headers: back.headers });
  client.check(again.body?.code === "sign-in-state-invalid", `refusal: a replay is answered ${again.body?.code}`);
  return answer.body;
}

async function replayEditor(client: LegacyClient, trip: Trip): Promise<Json> {
  const { verifier, challenge } = makeVerifier();
  const pkce = { code_challenge: challenge, code_challenge_method: "S256" };
  const begun = await client.call("POST", "/auth/oauth/initiate", 200, {
    body: { provider: "google", redirect_uri: editor, client: "an editor of another version", ...pkce },
  });
  checkMembers(client, "initiate", begun.body, { auth_url: "string", state: "string" });
  const back = await travel(trip, String(begun.body?.auth_url), []);
  const landed = await client.call("GET", `/auth/google/callback${back.query}`, 302, { headers: back.headers });
  const target = new URL(locationOf(landed));
  client.check(target.href.startsWith(`${editor}?`), `answer: the browser is sent to ${target.href}`);
  client.check(target.searchParams.get("state") === begun.body?.state, "answer: the state does not come back");
  client.check(!/token/.test(target.search), "answer: a token stands in an address");
  const body = {
    grant_type: "authorization_code",
    code: target.searchParams.get("code"),
    code_verifier: verifier,
    redirect_uri: editor,
    scope: "openid",
  };
  const session = await client.call("POST", "/auth/token", 200, { body });
  const again = await client.call("POST", "/auth/token", 400, { body });
  client.check(again.body?.code === "return-code-invalid", `refusal: a used code is answered ${again.body?.code}`);
  return session.body;
}

const locationOf = ({ headers }: Answer) => headers.get("location") ?? "none:";

async function replayRefusals(client: LegacyClient): Promise<void> {
  const { challenge } = makeVerifier();
  const begin = (expected: number, body: object) => client.call("POST", "/auth/oauth/initiate", expected, { body });
  await begin(404, { provider: "nobody" });
  await begin(422, { provider: "google", redirect_uri: editor });
  await begin(422, { provider: "google", redirect_uri: "https://evil.example/", code_challenge: challenge });
  await begin(422, { provider: "google", role: "admin" });
  await client.call("GET", "/auth/nobody/login", 404);
  await client.call("GET", "/auth/google/callback?code=x&state=x", 400);
  await client.call("POST", "/auth/token", 400, { body: { code: "x", code_verifier: makeVerifier().verifier } });
}
