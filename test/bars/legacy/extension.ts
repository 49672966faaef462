/** System C's editor extension, in the sequence of its test plan, and the other ways in that its clients know. */
import { type Cast, newAddress, newSecret } from "./cast.ts";
import { checkMembers, type LegacyClient } from "./client.ts";

export async function replayExtension(client: LegacyClient, { url, mailed }: Cast): Promise<void> {
  const [email, password] = [newAddress(), newSecret()];
  const names = { first_name: "Carol", last_name: "Legacy" };
  const registered = await client.call("POST", "/auth/register", 201, { body: { email, password, ...names } });
  checkMembers(client, "register", registered.body, { message: "string", user: "object" });
  checkMembers(client, "register.user", registered.body?.user, { id: "string", email: "string", name: "string" });
  client.check(registered.body?.user?.name === "Carol Legacy", `answer: the name is ${registered.body?.user?.name}`);
  await client.call("POST", "/auth/register", 409, { body: { email, password } });
  await client.call("POST", "/auth/register", 422, { body: { email: newAddress(), password: "sevench" } });
  const token = await replaySignIn(client, { url, email, password });
  await replaySettings(client, token);
  await replayOwn(client, token);
  await replayOtherSignIns(client, { email, password, mailed });
}

interface Way {
  url: string;
  email: string;
  password: string;
}

async function replaySignIn(client: LegacyClient, { url, email, password }: Way): Promise<string> {
  await client.call("POST", "/auth/login-json", 401, { body: { email, password: "not the password" } });
  const { body } = await client.call("POST", "/auth/login-json", 200, { body: { email, password } });
  checkMembers(client, "login-json", body, {
    access_token: "string",
    refresh_token: "string",
    token_type: "string",
    expires_in: "number",
    user: "object",
    a4f_api_key: "string",
    api_endpoint: "string",
  });
  client.check(
    body?.token_type === "bearer" && body?.expires_in === 1_800,
    "shape: login-json is not 1800 s of bearer",
  );
  client.check(body?.api_endpoint === `${url}/v1`, `answer: the gateway is at ${body?.api_endpoint}`);
  checkMembers(client, "login-json.user", body?.user, {
    id: "string",
    email: "string",
    first_name: "string",
    last_name: "string",
    subscription_tier: "string",
    email_verified: "boolean",
    monthly_usage: "object",
  });
  checkMembers(client, "monthly_usage", body?.user?.monthly_usage, { api_calls: "number", tokens_used: "number" });
  const me = await client.call("GET", "/auth/me", 200, { token: String(body?.access_token) });
  checkMembers(client, "me.user", me.body?.user, {
    id: "string",
    email: "string",
    name: "string",
    subscription_tier: "string",
    tokens_remaining: "number",
    tokens_used: "number",
    monthly_limit: "number",
  });
  const refreshed = await client.call("POST", "/auth/refresh", 200, {
    body: { refresh_token: String(body?.refresh_token) },
  });
  checkMembers(client, "refresh", refreshed.body, { access_token: "string", refresh_token: "string" });
  client.check(refreshed.body?.expires_in === 1_800, "shape: refresh has not expires_in 1800");
  client.check(refreshed.body?.refresh_token !== body?.refresh_token, "answer: the refresh token is not replaced");
  // The older server took any of its tokens here.
  await client.call("POST", "/auth/refresh", 401, { body: { refresh_token: String(body?.access_token) } });
  return String(refreshed.body?.access_token);
}

async function replaySettings(client: LegacyClient, token: string): Promise<void> {
  const { body } = await client.call("GET", "/auth/vscode-config", 200, { token });
  checkMembers(client, "config", body?.config, {
    a4f_api_key: "string",
    api_endpoint: "string",
    providers: "object",
    model_routing: "object",
  });
  checkMembers(client, "config.providers.a4f", body?.config?.providers?.a4f, {
    enabled: "boolean",
    base_url: "string",
    models: "array",
    priority: "number",
  });
  checkMembers(client, "config.model_routing", body?.config?.model_routing, {
    popular_models_to_a4f: "boolean",
    default_provider: "string",
  });
  await client.call("GET", "/auth/vscode-config", 401);
  const current = await client.call("GET", "/subscriptions/current", 200, { token });
  checkMembers(client, "current.usage_limits", current.body?.usage_limits, {
    monthly_requests: "number",
    monthly_tokens: "number",
    concurrent_requests: "number|null",
    rate_limit_per_minute: "number",
  });
  checkMembers(client, "current.current_usage", current.body?.current_usage, {
    requests_used: "number",
    tokens_used: "number",
    reset_date: "string",
  });
  checkMembers(client, "current.usage_percentage", current.body?.usage_percentage, {
    requests: "number",
    tokens: "number",
  });
  client.check(current.body?.tier === "free", `answer: a new account is of the tier ${current.body?.tier}`);
}

async function replayOwn(client: LegacyClient, token: string): Promise<void> {
  const own = await client.call("GET", "/users/me", 200, { token });
  checkMembers(client, "users/me", own.body, { id: "string", email: "string", name: "string", user: "object" });
  await client.call("GET", `/users/${own.body?.id}`, 200, { token });
  await client.call("GET", "/users/usr_00000000000000000000000000", 404, { token });
  const renamed = await client.call("PUT", "/users/me", 200, { token, body: { name: "Carol Renamed" } });
  client.check(renamed.body?.name === "Carol Renamed", "answer: /users/me did not take the name");
  const preferences = await client.call("GET", "/users/preferences", 200, { token });
  checkMembers(client, "preferences", preferences.body, {
    theme: "string",
    language: "string",
    notifications: "boolean|object",
    auto_completion: "boolean",
    model_preference: "string",
    max_tokens: "number",
  });
  const theirs = {
    theme: "dark",
    language: "en",
    auto_completion: false,
    model_preference: "gpt-4o",
    max_tokens: 2_000,
  };
  const changed = await client.call("PUT", "/users/preferences", 200, { token, body: theirs });
  for (const [name, value] of Object.entries(theirs))
    client.check(changed.body?.[name] === value, `answer: the preferences did not take ${name}`);
  await client.call("PUT", "/users/preferences", 422, { token, body: { theme: "plaid" } });
  const out = await client.call("POST", "/auth/logout", 200, { token });
  client.check(out.body?.success === true, "shape: logout does not say success");
  await client.call("GET", "/auth/me", 401, { token });
}

interface Person {
  email: string;
  password: string;
  mailed: Cast["mailed"];
}

async function replayOtherSignIns(client: LegacyClient, { email, password, mailed }: Person): Promise<void> {
  const form = new URLSearchParams({ username: email, password, grant_type: "password", scope: "" });
  const signedIn = await client.call("POST", "/auth/login", 200, { body: form });
  checkMembers(client, "login by form", signedIn.body, { access_token: "string", token_type: "string" });
  client.check(signedIn.body?.token_type === "bearer", "shape: /auth/login has no bearer token");
  await client.call("POST", "/auth/login", 401, { body: new URLSearchParams({ username: email, password: "not it" }) });
  await client.call("POST", "/auth/login", 200, { body: { username: email, password } });
  await client.call("POST", "/auth/signup", 201, { body: { email: newAddress(), password } });
  await client.call("POST", "/auth/forgot-password", 200, { body: { email } });
  const next = newSecret();
  const token = await mailed(email, /reset-password\?token=([\w-]+)/);
  await client.call("POST", "/auth/reset-password", 200, { body: { token, newPassword: next } });
  await client.call("POST", "/auth/login-json", 401, { body: { email, password } });
  await client.call("POST", "/auth/login-json", 200, { body: { email, password: next } });
}
