/** System B's support, and the pages of administration of systems A and C. */
import { type Cast, newAddress, newcomer, newName, newSecret } from "./cast.ts";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";
import { signInStaff } from "./panel.ts";

const basic = {
  user_id: "string",
  email: "string",
  name: "string",
  username: "string|null",
  user_type: "string",
  subscription_plan: "string",
  is_active: "boolean",
  is_verified: "boolean",
};
/** What only advanced ones see. */
const hidden = ["about_me", "hobbies", "access_rtype", "additional_notes"];

export async function replaySupport(client: LegacyClient, { url, superadmin }: Cast): Promise<void> {
  const somebody = await newcomer(url);
  const token = await appoint(client, { admin: superadmin.token, level: "support" });
  const path = `/v1/support/users/${somebody.userId}`;
  await client.call("POST", "/v1/support/login", 403, { body: { email: somebody.email, password: somebody.password } });
  const profile = await client.call("GET", "/v1/support/profile", 200, { token });
  checkMembers(client, "support profile", profile.body, {
    success: "boolean",
    staff_id: "string",
    username: "string",
    name: "string",
    email: "string",
    staff_level: "string",
    permissions: "array",
    is_active: "boolean",
  });
  const permissions = await client.call("GET", "/v1/support/permissions", 200, { token });
  checkMembers(client, "support permissions", permissions.body, { permissions: "array", level: "string" });
  const list = await client.call("GET", "/v1/support/users?page=1&page_size=2", 200, { token });
  checkMembers(client, "support users", list.body, { success: "boolean", users: "array", total: "number" });
  checkMembers(client, "support users[]", list.body?.users?.[0], basic);
  const one = await client.call("GET", path, 200, { token });
  checkMembers(client, "support user", one.body, { ...basic, credits: "object", limits: "object", level: "string" });
  checkMembers(client, "support user.credits", one.body?.credits, { main: "number", reset: "number" });
  client.check(
    hidden.every((name) => one.body?.[name] === undefined),
    "answer: support sees what advanced ones see",
  );
  const limited = await client.call("PUT", path, 200, { token, body: { limits: { reset: 3 } } });
  client.check(limited.body?.user?.limits?.reset === 3, "answer: the limit was not changed");
  await client.call("PUT", path, 403, { token, body: { additional_notes: "not for this level" } });
  for (const credits of [40, { main: 40 }]) {
    const given = await client.call("PUT", `${path}/credits`, 200, { token, body: { credits } });
    client.check(given.body?.credits?.main === 40, `answer: the credits are ${JSON.stringify(given.body?.credits)}`);
  }
  const planned = await client.call("PUT", `${path}/plan`, 200, { token, body: { subscription_plan: "pro" } });
  client.check(planned.body?.subscription_plan === "pro", "answer: the plan was not changed");
  await client.call("PUT", `${path}/plan`, 422, { token, body: { subscription_plan: "gold" } });
  const mailed = await client.call("POST", `${path}/reset-password`, 200, { token });
  checkMembers(client, "reset-password", mailed.body, { success: "boolean", message: "string" });
  await client.call("PUT", `/v1/support/users/${superadmin.userId}`, 403, { token, body: { limits: { reset: 3 } } });
  await replayNewLevel(client, { admin: superadmin.token, path });
}

/** A new one of support sees people and changes nothing. */
async function replayNewLevel(client: LegacyClient, { admin, path }: { admin: string; path: string }): Promise<void> {
  const token = await appoint(client, { admin, level: "new" });
  const seen = await client.call("GET", path, 200, { token });
  checkMembers(client, "seen by a new one", seen.body, basic);
  client.check(
    ["credits", "limits", "level", ...hidden].every((name) => seen.body?.[name] === undefined),
    "answer: a new one of support sees more than the basic fields",
  );
  await client.call("PUT", path, 403, { token, body: { limits: { reset: 4 } } });
  await client.call("PUT", `${path}/credits`, 403, { token, body: { credits: 4 } });
  await client.call("PUT", `${path}/plan`, 403, { token, body: { subscription_plan: "free" } });
}

async function appoint(client: LegacyClient, { admin, level }: { admin: string; level: string }): Promise<string> {
  const [email, username, password] = [newAddress(), newName(), newSecret()];
  const made = await client.call("POST", "/v1/support/create", 201, {
    token: admin,
    body: { username, name: "Help", email, password, staff_level: level },
  });
  checkMembers(client, "support create", made.body, {
    success: "boolean",
    staff_id: "string",
    username: "string",
    name: "string",
    email: "string",
    staff_level: "string",
    is_active: "boolean",
  });
  client.check(made.body?.staff_level === level, `answer: the new level is ${made.body?.staff_level}`);
  const path = "/v1/support/login";
  const token = await signInStaff(client, { path, email, password, hours: 12, days: 3 });
  await client.call("POST", "/v1/support/create", 403, { token, body: { email: newAddress(), password } });
  return token;
}

/** `/admin` of system C and `/api/admin` of system A. */
export async function replayAdministration(client: LegacyClient, { url, superadmin }: Cast): Promise<void> {
  const { token } = superadmin;
  const somebody = await newcomer(url);
  const users = await client.call("GET", "/admin/users?limit=5", 200, { token });
  client.check(Array.isArray(users.body) && users.body.length === 5, "shape: GET /admin/users is not a bare array");
  for (const user of (users.body ?? []) as Json[])
    checkMembers(client, "admin user", user, {
      id: "string",
      email: "string",
      name: "string",
      role: "string",
      is_active: "boolean",
      created_at: "string",
    });
  for (const group of ["day", "provider", "model"]) {
    const usage = await client.call("GET", `/admin/usage-stats?group_by=${group}`, 200, { token });
    client.check(Array.isArray(usage.body?.items), `shape: usage by ${group} has no items`);
  }
  for (const period of ["month", "quarter", "year", "all"]) {
    const revenue = await client.call("GET", `/admin/revenue?period=${period}`, 200, { token });
    client.check(revenue.body?.period === period, `answer: the revenue is of ${revenue.body?.period}`);
  }
  const system = await client.call("GET", "/admin/system-stats", 200, { token });
  checkMembers(client, "system-stats", system.body, { users: "object", tokens: "object" });
  const plan = `/admin/users/${somebody.userId}/plan`;
  const planned = await client.call("PUT", `${plan}?plan_name=pro`, 200, { token });
  client.check(planned.body?.plan === "pro", `answer: the plan is ${planned.body?.plan}`);
  await client.call("PUT", `${plan}?plan_name=gold`, 422, { token });
  await client.call("PUT", `${plan}?plan_name=pro`, 403, { token: somebody.token });
  for (const path of ["/admin/users", "/admin/usage-stats", "/admin/revenue", "/admin/system-stats"])
    await client.call("GET", path, 403, { token: somebody.token });
  await replayLogs(client, { token, stranger: somebody.token });
}

async function replayLogs(
  client: LegacyClient,
  { token, stranger }: { token: string; stranger: string },
): Promise<void> {
  const stats = await client.call("GET", "/api/admin/stats", 200, { token });
  checkMembers(client, "api stats", stats.body, { success: "boolean", data: "object" });
  checkMembers(client, "api stats.data", stats.body?.data, {
    totalConversions: "number",
    completedConversions: "number",
    failedConversions: "number",
    audioToImageCount: "number",
    imageToAudioCount: "number",
    totalDataProcessed: "number",
    averageConversionTime: "number|null",
  });
  const logs = await client.call("GET", "/api/admin/logs?level=error&category=CONVERSION&limit=100", 200, { token });
  checkMembers(client, "api logs", logs.body, { success: "boolean", logs: "array" });
  const warnings = await client.call("GET", "/api/admin/logs?level=warn", 200, { token });
  for (const entry of (warnings.body?.logs ?? []) as Json[])
    checkMembers(client, "api logs[]", entry, {
      level: "string",
      category: "string",
      message: "string",
      userId: "string|null",
      conversionId: "string|null",
      requestId: "string|null",
      metadata: "object",
      timestamp: "string",
    });
  await client.call("GET", "/api/admin/logs?level=loud", 422, { token });
  for (const path of ["/api/admin/stats", "/api/admin/logs"]) await client.call("GET", path, 403, { token: stranger });
}
