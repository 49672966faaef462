/** The accounts of systems B and C, and what D's client calls around its account, in the order in which their clients and plans call. */
import { randomBytes } from "node:crypto";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";
import type { Stage } from "../stage.ts";
import { readState } from "../state.ts";

const address = () => `legacy-${randomBytes(8).toString("hex")}@example.com`;
const secret = () => randomBytes(18).toString("base64url");

function checkUserSession(client: LegacyClient, what: string, session: Json): void {
  checkMembers(client, what, session, {
    session_token: "string",
    refresh_token: "string",
    expires_at: "string",
    refresh_expires_at: "string",
  });
}

/** System B by its own paths and by those with `-legacy`. */
export async function replayUsers(client: LegacyClient): Promise<void> {
  for (const root of ["/v1/users", "/v1/users-legacy"]) await replayUsersAt(client, root);
}

async function replayUsersAt(client: LegacyClient, root: string): Promise<void> {
  const [email, password, next] = [address(), secret(), secret()];
  const username = `u_${randomBytes(6).toString("hex")}`;
  const body = { username, name: "Bob Legacy", email, password, user_type: "Personal", about_me: "", hobbies: "" };
  const made = await client.call("POST", `${root}/register`, 201, { body });
  checkMembers(client, "register", made.body, {
    success: "boolean",
    message: "string",
    user_id: "string",
    username: "string",
    email: "string",
    api_key: "string",
    verification_required: "boolean",
  });
  await client.call("POST", `${root}/register`, 409, { body });
  await client.call("POST", `${root}/login`, 401, { body: { email, password: "not the password" } });
  const login = await client.call("POST", `${root}/login`, 200, { body: { email, password } });
  checkUserSession(client, "login.session", login.body?.session);
  checkMembers(client, "login.user", login.body?.user, {
    id: "string",
    username: "string",
    name: "string",
    email: "string",
    user_type: "string",
    subscription_plan: "string",
    is_verified: "boolean",
  });
  const token = String(login.body?.session?.session_token);
  await replayProfile(client, { root, token, password, next });
  await replayEndings(client, { root, email, password: next });
}

interface Acting {
  root: string;
  token: string;
  password: string;
  next: string;
}

async function replayProfile(client: LegacyClient, { root, token, password, next }: Acting): Promise<void> {
  const profile = await client.call("GET", `${root}/profile`, 200, { token });
  checkMembers(client, "profile", profile.body, {
    credits: "object",
    limits: "object",
    access_rtype: "array",
    level: "string",
    about_me: "string",
    hobbies: "string",
  });
  const changed = await client.call("PUT", `${root}/profile`, 200, { token, body: { hobbies: "chess" } });
  client.check(changed.body?.hobbies === "chess", "answer: the profile did not take the hobbies");
  await client.call("PUT", `${root}/profile`, 422, { token, body: { credits: { main: 1_000 } } });
  const shown = await client.call("GET", `${root}/api-key`, 200, { token });
  client.check(shown.body?.api_key === null, "answer: a key that was shown at registration is shown again");
  const key = await client.call("POST", `${root}/api-key/regenerate`, 200, { token });
  client.check(typeof key.body?.api_key === "string", "shape: regenerate shows no api_key");
  const newEmail = { new_email: address(), current_password: password };
  await client.call("PUT", `${root}/email`, 422, { token, body: { ...newEmail, current_password: "no" } });
  await client.call("PUT", `${root}/email`, 200, { token, body: newEmail });
  const passwords = { current_password: password, new_password: next };
  await client.call("PUT", `${root}/password`, 200, { token, body: passwords });
  if (root !== "/v1/users") return;
  const status = await client.call("GET", "/v1/email/status", 200, { token });
  checkMembers(client, "email status", status.body, { success: "boolean", is_verified: "boolean", email: "string" });
}

async function replayEndings(
  client: LegacyClient,
  { root, email, password }: { root: string; email: string; password: string },
): Promise<void> {
  const { body } = await client.call("POST", `${root}/login`, 200, { body: { email, password } });
  const refresh = root === "/v1/users" ? "/v1/auth/refresh" : `${root}/refresh`;
  const renewed = await client.call("POST", refresh, 200, {
    body: { refresh_token: String(body?.session?.refresh_token) },
  });
  const session = (renewed.body?.session ?? renewed.body) as Json;
  checkUserSession(client, "refresh", session);
  const token = String(session?.session_token);
  const out = await client.call("POST", `${root}/logout`, 200, { token });
  client.check(out.body?.success === true, "shape: logout does not say success");
  const last = await client.call("POST", `${root}/login`, 200, { body: { email, password } });
  const gone = await client.call("DELETE", `${root}/account`, 200, {
    token: String(last.body?.session?.session_token),
    body: { password, reason: "moved" },
  });
  client.check(gone.body?.success === true, "shape: deleting the account does not say success");
  await client.call("POST", `${root}/login`, 401, { body: { email, password } });
}

/** In the sequence of system C's test plan. */
export async function replayExtension(client: LegacyClient, stage: Stage): Promise<void> {
  const [email, password] = [address(), secret()];
  const names = { first_name: "Carol", last_name: "Legacy" };
  const registered = await client.call("POST", "/auth/register", 201, { body: { email, password, ...names } });
  checkMembers(client, "register.user", registered.body?.user, { id: "string", email: "string", name: "string" });
  const login = await client.call("POST", "/auth/login-json", 200, { body: { email, password } });
  checkMembers(client, "login-json", login.body, {
    access_token: "string",
    refresh_token: "string",
    token_type: "string",
    expires_in: "number",
    user: "object",
    a4f_api_key: "string",
    api_endpoint: "string",
  });
  checkMembers(client, "login-json.user", login.body?.user, {
    first_name: "string",
    last_name: "string",
    subscription_tier: "string",
    email_verified: "boolean",
    monthly_usage: "object",
  });
  const me = await client.call("GET", "/auth/me", 200, { token: String(login.body?.access_token) });
  checkMembers(client, "me.user", me.body?.user, {
    tokens_remaining: "number",
    tokens_used: "number",
    monthly_limit: "number",
  });
  const refreshed = await client.call("POST", "/auth/refresh", 200, {
    body: { refresh_token: String(login.body?.refresh_token) },
  });
  client.check(refreshed.body?.expires_in === 1_800, "shape: refresh has not expires_in 1800");
  await replaySettings(client, { token: String(refreshed.body?.access_token), userId: String(me.body?.user?.id) });
  await replayOtherSignIns(client, { email, password, stage });
}

async function replaySettings(
  client: LegacyClient,
  { token, userId }: { token: string; userId: string },
): Promise<void> {
  const { body } = await client.call("GET", "/auth/vscode-config", 200, { token });
  checkMembers(client, "config", body?.config, { a4f_api_key: "string", providers: "object", model_routing: "object" });
  await client.call("GET", "/auth/providers", 200, { token });
  await client.call("GET", "/subscriptions/current", 200, { token });
  await client.call("GET", "/users/me", 200, { token });
  await client.call("GET", `/users/${userId}`, 200, { token });
  await client.call("GET", "/users/usr_00000000000000000000000000", 404, { token });
  const renamed = await client.call("PUT", "/users/me", 200, { token, body: { name: "Carol Renamed" } });
  client.check(renamed.body?.name === "Carol Renamed", "answer: /users/me did not take the name");
  const preferences = await client.call("GET", "/users/preferences", 200, { token });
  checkMembers(client, "preferences", preferences.body, { theme: "string", language: "string", max_tokens: "number" });
  const changed = await client.call("PUT", "/users/preferences", 200, { token, body: { theme: "dark" } });
  client.check(changed.body?.theme === "dark", "answer: the preferences did not take the theme");
  const out = await client.call("POST", "/auth/logout", 200, { token });
  client.check(out.body?.success === true, "shape: logout does not say success");
  await client.call("GET", "/auth/me", 401, { token });
}

interface Person {
  email: string;
  password: string;
  stage: Stage;
}

async function replayOtherSignIns(client: LegacyClient, { email, password, stage }: Person): Promise<void> {
  const form = await client.call("POST", "/auth/login", 200, { body: { email, password } });
  client.check(form.body?.token_type === "bearer", "shape: /auth/login has no bearer token");
  await client.call("POST", "/auth/signup", 201, { body: { email: address(), password } });
  await client.call("POST", "/auth/forgot-password", 200, { body: { email } });
  const next = secret();
  const token = await mailedToken(stage, email);
  await client.call("POST", "/auth/reset-password", 200, { body: { token, newPassword: next } });
  const signedIn = await client.call("POST", "/api/auth/login", 200, { body: { email, password: next } });
  await client.call("POST", "/api/auth/password-reset", 200, { body: { email } });
  const again = secret();
  const confirm = { token: await mailedToken(stage, email), password: again };
  await client.call("POST", "/api/auth/password-reset/confirm", 200, { body: confirm });
  await client.call("GET", "/api/auth/me", 401, { token: String(signedIn.body?.token) });
  const last = await client.call("POST", "/api/auth/login", 200, { body: { email, password: again } });
  await client.call("POST", "/api/auth/delete-account", 200, {
    token: String(last.body?.token),
    body: { password: again },
  });
}

/** From the link in the newest mail. The files are read while the server is stopped. */
async function mailedToken(stage: Stage, email: string): Promise<string> {
  for (let tries = 0; tries < 5; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    await stage.stop();
    const rows = readState(stage.stateDir).database<{ recipient: string; text: string }>(
      "SELECT recipient, text FROM outbox_mails WHERE template = 'reset-password' ORDER BY id",
    );
    await stage.start();
    const tokens = rows
      .filter(({ recipient }) => recipient === email)
      .map(({ text }) => /reset-password\?token=([\w-]+)/.exec(text ?? "")?.[1])
      .filter((token) => token !== undefined && !used.has(token));
    const token = tokens.at(-1);
    if (token !== undefined) {
      used.add(token);
      return token;
    }
  }
  throw new Error(`no link to set a new password was mailed to ${email}`);
}

const used = new Set<string>();
