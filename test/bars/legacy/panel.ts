/** System B's panel of administration, as a superadmin and an admin made by it use it. */
import { type Cast, newAddress, newcomer, newName, newSecret } from "./cast.ts";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";

const hourMs = 3_600_000;
const root = "/v1/admin-panel";

interface SignIn {
  path: string;
  email: string;
  password: string;
  hours: number;
  days: number;
}

/** A session of staff: how long the token lasts, and how long it is renewed. Returns the token. */
export async function signInStaff(client: LegacyClient, given: SignIn): Promise<string> {
  const { path, email, password, hours, days } = given;
  const { body } = await client.call("POST", path, 200, { body: { username: email, password } });
  checkMembers(client, `${path}.session`, body?.session, {
    session_token: "string",
    refresh_token: "string",
    expires_at: "string",
    refresh_expires_at: "string",
  });
  checkMembers(client, `${path}.user`, body?.user, { id: "string", email: "string", is_super_admin: "boolean" });
  const inHours = (at: string) => Math.round((Date.parse(at) - Date.now()) / hourMs);
  const lasts = [inHours(body?.session?.expires_at), inHours(body?.session?.refresh_expires_at) / 24];
  client.check(lasts.join() === [hours, days].join(), `answer: ${path} lasts ${lasts.join(" hours and ")} days`);
  const refreshed = await client.call("POST", "/v1/users-legacy/refresh", 200, {
    body: { refresh_token: String(body?.session?.refresh_token) },
  });
  return String(refreshed.body?.session?.session_token);
}

export async function replayPanel(client: LegacyClient, { url, superadmin }: Cast): Promise<void> {
  const ordinary = await newcomer(url);
  const { email, password } = superadmin;
  const token = await signInStaff(client, { path: `${root}/login`, email, password, hours: 24, days: 7 });
  await client.call("POST", `${root}/login`, 401, { body: { username: email, password: "not the password" } });
  await client.call("POST", `${root}/login`, 403, {
    body: { username: ordinary.email, password: ordinary.password },
  });
  const admin = await replayAdmins(client, token);
  for (const path of ["users", `users/${ordinary.userId}`, "statistics", "security-logs", "health"]) {
    await client.call("GET", `${root}/${path}`, 403, { token: ordinary.token });
    await client.call("GET", `${root}/${path}`, 401);
  }
  await replayPeople(client, { admin, userId: ordinary.userId });
  await replayChange(client, { admin, userId: ordinary.userId, token: ordinary.token });
  await replayFigures(client, { admin, userId: ordinary.userId });
  await replayOperations(client, admin);
  await replayDeletion(client, { admin, token, userId: ordinary.userId });
}

async function replayAdmins(client: LegacyClient, token: string): Promise<string> {
  const [email, username, password] = [newAddress(), newName(), newSecret()];
  const body = { username, name: "Panel", email, password, is_super_admin: false };
  const made = await client.call("POST", `${root}/create-admin`, 201, { token, body });
  checkMembers(client, "create-admin", made.body, {
    success: "boolean",
    admin_id: "string",
    username: "string",
    name: "string",
    email: "string",
    is_super_admin: "boolean",
    permissions: "array",
    is_active: "boolean",
  });
  client.check(made.body?.is_super_admin === false, "answer: an ordinary admin is made a superadmin");
  await client.call("POST", `${root}/create-admin`, 409, { token, body });
  const admin = await signInStaff(client, { path: `${root}/login`, email, password, hours: 24, days: 7 });
  await client.call("POST", `${root}/create-admin`, 403, { token: admin, body: { ...body, email: newAddress() } });
  return admin;
}

const person = {
  user_id: "string",
  username: "string|null",
  name: "string",
  email: "string",
  user_type: "string",
  subscription_plan: "string",
  limits: "object",
  credits: "object",
  access_rtype: "array",
  level: "string",
  about_me: "string",
  hobbies: "string",
  additional_notes: "string",
  is_active: "boolean",
  is_verified: "boolean",
  time_created: "string",
  last_login: "string|null",
};

interface Acting {
  admin: string;
  userId: string;
}

async function replayPeople(client: LegacyClient, { admin: token, userId }: Acting): Promise<void> {
  const query = "page=1&page_size=2&user_type=Personal&is_active=true&is_verified=false&search=legacy";
  const list = await client.call("GET", `${root}/users?${query}`, 200, { token });
  checkMembers(client, "users", list.body, {
    success: "boolean",
    users: "array",
    total: "number",
    page: "number",
    page_size: "number",
    pagination: "object",
  });
  const users = (list.body?.users ?? []) as Json[];
  client.check(users.length === 2, `answer: a page of two has ${users.length} people`);
  for (const user of users) {
    checkMembers(client, "users[]", user, person);
    client.check(
      user.user_type === "Personal" && user.is_active === true && user.is_verified === false,
      "answer: the filters of the list are not kept to",
    );
  }
  const second = await client.call("GET", `${root}/users?page=2&page_size=2&search=legacy`, 200, { token });
  client.check(second.body?.page === 2, "answer: there is no second page");
  await client.call("GET", `${root}/users?page_size=101`, 422, { token });
  const one = await client.call("GET", `${root}/users/${userId}`, 200, { token });
  checkMembers(client, "user", one.body, { success: "boolean", user: "object", ...person });
  checkMembers(client, "user.user", one.body?.user, person);
  checkBalance(client, one.body?.user, { main: 10, reset: 10 });
  await client.call("GET", `${root}/users/usr_00000000000000000000000000`, 404, { token });
}

function checkBalance(client: LegacyClient, user: Json, wanted: { main: number; reset: number }): void {
  const { credits, limits } = user ?? {};
  client.check(
    credits?.main === wanted.main && credits?.reset === wanted.reset,
    `answer: the credits are ${JSON.stringify(credits)}`,
  );
  client.check(
    limits?.conversation_limit === wanted.main && limits?.reset === wanted.reset,
    `answer: the limits are ${JSON.stringify(limits)}`,
  );
}

/** Every member that the panel may edit, then each that it may not. */
async function replayChange(client: LegacyClient, { admin, userId, token }: Acting & { token: string }): Promise<void> {
  const path = `${root}/users/${userId}`;
  const changes = {
    name: "Bob by the panel",
    user_type: "Business",
    subscription_plan: "pro",
    credits: { main: 50, reset: 12 },
    access_rtype: ["bpe", "react"],
    level: "high",
    additional_notes: "asked by phone",
    is_active: true,
    is_verified: true,
  };
  const changed = await client.call("PUT", path, 200, { token: admin, body: changes });
  const { credits, ...others } = changes;
  for (const [name, value] of Object.entries(others))
    client.check(
      JSON.stringify(changed.body?.user?.[name]) === JSON.stringify(value),
      `answer: ${name} is ${JSON.stringify(changed.body?.user?.[name])}, not ${JSON.stringify(value)}`,
    );
  checkBalance(client, changed.body?.user, credits);
  const cleared = await client.call("DELETE", "/v1/admin/cache", 200, { token: admin });
  checkMembers(client, "cache", cleared.body, { success: "boolean", message: "string" });
  const own = await client.call("GET", "/v1/users/profile", 200, { token });
  checkBalance(client, own.body, credits);
  const back = { limits: { conversation_limit: 3, reset: 20 } };
  const limited = await client.call("PUT", path, 200, { token: admin, body: back });
  checkBalance(client, limited.body?.user, { main: 3, reset: 20 });
  for (const body of [
    { is_super_admin: true },
    { username: "another" },
    { api_key: "another" },
    { credits: { main: -1 } },
    { credits: { main: 5 }, limits: { conversation_limit: 6 } },
    { level: "highest" },
  ])
    await client.call("PUT", path, 422, { token: admin, body: { name: "Changed", ...body } });
  const email = newAddress();
  const moved = await client.call("PUT", path, 200, { token: admin, body: { email } });
  client.check(moved.body?.user?.email === email, "answer: the address was not changed");
  client.check(moved.body?.user?.name === changes.name, "answer: a refused change changed the name");
  const keys = await client.call("POST", `${path}/regenerate-api-key`, 200, { token: admin });
  checkMembers(client, "regenerate-api-key", keys.body, { success: "boolean", message: "string", api_key: "null" });
}

async function replayFigures(client: LegacyClient, { admin: token, userId }: Acting): Promise<void> {
  const { body } = await client.call("GET", `${root}/statistics`, 200, { token });
  const figures = { total: "number", active: "number", verified: "number", new_users_today: "number" };
  checkMembers(client, "statistics.user_statistics", body?.user_statistics, figures);
  checkMembers(client, "statistics.api_statistics", body?.api_statistics, {
    total_api_calls: "number",
    api_calls_today: "number",
    total_messages: "number",
    total_tokens_used: "number",
  });
  checkMembers(client, "statistics.system_statistics", body?.system_statistics, {
    active_sessions: "number",
    timestamp: "time",
  });
  const logs = await client.call("GET", `${root}/security-logs?event_type=admin_created&severity=warning`, 200, {
    token,
  });
  checkMembers(client, "security-logs", logs.body, { success: "boolean", logs: "array" });
  checkMembers(client, "security-logs[]", logs.body?.logs?.[0], {
    event_type: "string",
    severity: "string",
    user_id: "string",
    ip_address: "string|null",
    timestamp: "time",
    details: "object",
  });
  client.check(logs.body?.logs?.[0]?.event_type === "admin_created", "answer: the log has not who was made an admin");
  const updated = await client.call("GET", `${root}/security-logs?event_type=user_updated_by_admin`, 200, { token });
  client.check(
    ((updated.body?.logs ?? []) as Json[]).some((entry) => entry.user_id === userId),
    "answer: the change of a person is not logged as user_updated_by_admin",
  );
  const messages = await client.call("GET", `${root}/message-logs/${userId}`, 200, { token });
  checkMembers(client, "message-logs", messages.body, { success: "boolean", logs: "array" });
  const health = await client.call("GET", `${root}/health`, 200, { token });
  checkMembers(client, "health", health.body, { success: "boolean", status: "string", timestamp: "time" });
}

/** `/v1/admin`, which is published under the names of system B. */
async function replayOperations(client: LegacyClient, token: string): Promise<void> {
  const health = await client.call("GET", "/v1/admin/health", 200, { token });
  checkMembers(client, "admin health", health.body, { status: "string", timestamp: "time" });
  const stats = await client.call("GET", "/v1/admin/stats", 200, { token });
  checkMembers(client, "admin stats", stats.body, { success: "boolean", data: "object" });
  const prompt = "Observe, then act.";
  const changed = await client.call("PUT", "/v1/admin/system-prompts", 200, {
    token,
    body: { r_type: "react", prompt },
  });
  checkMembers(client, "system-prompts", changed.body, { success: "boolean", r_type: "string", prompt: "string" });
  const prompts = await client.call("GET", "/v1/admin/system-prompts", 200, { token });
  const items = (prompts.body?.items ?? []) as Json[];
  client.check(
    items.some((item) => item.rType === "react" && item.prompt === prompt),
    "answer: the system prompt was not changed",
  );
  await client.call("PUT", "/v1/admin/system-prompts", 404, { token, body: { r_type: "none", prompt } });
}

async function replayDeletion(
  client: LegacyClient,
  { admin, token, userId }: Acting & { token: string },
): Promise<void> {
  const path = `${root}/users/${userId}`;
  await client.call("DELETE", path, 403, { token: admin, body: { reason: "Asked by letter" } });
  await client.call("DELETE", path, 422, { token, body: {} });
  const gone = await client.call("DELETE", path, 200, { token, body: { reason: "Asked by letter" } });
  client.check(gone.body?.success === true, "shape: deletion does not say success");
  await client.call("GET", path, 404, { token });
}
