/** Organizations and sub-users as system C's clients call them, workspaces as system D's do. */
import { type Cast, newAddress, newcomer, newSecret } from "./cast.ts";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";

const invitation = /\/console\/invitations\/([\w-]+)/;

export async function replayWorkspaces(client: LegacyClient, cast: Cast): Promise<void> {
  const { token } = cast.person;
  const made = await client.call("POST", "/organizations", 201, {
    token,
    body: { name: "Acme tools", description: "Extension team", billing_email: "ignored@example.com" },
  });
  checkMembers(client, "organization", made.body, {
    id: "string",
    name: "string",
    slug: "string",
    owner_id: "string",
    subscription_tier: "string",
    settings: "object",
    created_at: "string",
  });
  const id = String(made.body?.id);
  const list = await client.call("GET", "/organizations", 200, { token });
  client.check(
    Array.isArray(list.body) && list.body.some((item: Json) => item.id === id),
    "shape: GET /organizations is not a bare array with the new one",
  );
  await client.call("POST", "/organizations", 422, { token, body: { name: "Acme", plan: "enterprise" } });
  await client.call("GET", `/organizations/${id}`, 200, { token });
  const renamed = await client.call("PUT", `/organizations/${id}`, 200, { token, body: { name: "Acme" } });
  client.check(renamed.body?.name === "Acme", `answer: the organization is named ${renamed.body?.name}`);
  const stats = await client.call("GET", `/organizations/${id}/stats`, 200, { token });
  checkMembers(client, "stats", stats.body, {
    total_members: "number",
    total_api_keys: "number",
    monthly_tokens_used: "number",
    monthly_token_limit: "number|null",
    token_usage_percentage: "number",
    days_until_reset: "number",
    recent_activity_count: "number",
  });
  await replayMembers(client, { token, id, cast });
  await replayKeys(client, { token, id });
  await replayAudioTricks(client, { token, id, cast });
  await client.call("DELETE", `/organizations/${id}`, 200, { token });
  await client.call("GET", `/organizations/${id}`, 404, { token });
  for (const root of ["/organization/sub-users", "/sub-users"]) await replaySubUsers(client, { token, root });
}

interface At {
  token: string;
  id: string;
  cast: Cast;
}

async function replayMembers(client: LegacyClient, { token, id, cast }: At): Promise<void> {
  const guests = [await newcomer(cast.url), await newcomer(cast.url)];
  for (const { email } of guests) {
    const body = { email, role: "member" };
    const sent = await client.call("POST", `/organizations/${id}/members/invite`, 201, { token, body });
    checkMembers(client, "invitation", sent.body, { success: "boolean", invitation: "object", expires_at: "string" });
  }
  const tokens: string[] = [];
  for (const { email } of guests) tokens.push(await cast.mailed(email, invitation));
  const roots = ["/organizations/invitations", "/invitations"];
  for (const [index, guest] of guests.entries()) {
    const joined = await client.call("POST", `${roots[index]}/${tokens[index]}/accept`, 200, { token: guest.token });
    client.check(joined.body?.organization?.id === id, "shape: accepting does not tell the organization");
  }
  await client.call("POST", `/invitations/${tokens[0]}/accept`, 410, { token: guests[0]?.token ?? "" });
  const members = await client.call("GET", `/organizations/${id}/members`, 200, { token });
  client.check(
    Array.isArray(members.body) && members.body.length === 3,
    "shape: GET /organizations/{id}/members is not a bare array of three",
  );
  const path = `/organizations/${id}/members/${guests[0]?.userId}`;
  const changed = await client.call("PUT", path, 200, { token, body: { role: "admin" } });
  checkMembers(client, "member", changed.body, { user_id: "string", email: "string", role: "string" });
  for (const { userId } of guests)
    await client.call("DELETE", `/organizations/${id}/members/${userId}`, 200, { token });
}

async function replayKeys(client: LegacyClient, { token, id }: { token: string; id: string }): Promise<void> {
  for (const name of ["api-keys", "keys"]) {
    const path = `/organizations/${id}/${name}`;
    const made = await client.call("POST", path, 201, { token, body: { name: `of ${name}` } });
    const listed = await client.call("GET", path, 200, { token });
    client.check(
      Array.isArray(listed.body) && listed.body.length === 1,
      `shape: GET ${path} is not a bare array of the organization's key`,
    );
    await client.call("DELETE", `${path}/${made.body?.id}`, 200, { token });
  }
  const own = await client.call("POST", `/organizations/${id}/keys`, 201, { token, body: { name: "by its id" } });
  const headers = { "x-workspace-id": id };
  await client.call("DELETE", `/organizations/keys/${own.body?.id}`, 200, { token, headers });
  await client.call("GET", "/organization", 200, { token, headers });
  const described = { token, headers, body: { description: "By the active one" } };
  const changed = await client.call("PUT", "/organization", 200, described);
  client.check(changed.body?.id === id, "answer: /organization is not the active workspace");
}

async function replayAudioTricks(client: LegacyClient, { token, id, cast }: At): Promise<void> {
  const list = await client.call("GET", "/api/workspaces", 200, { token });
  checkMembers(client, "workspaces", list.body, { workspaces: "array" });
  const root = `/api/workspaces/${id}`;
  const changed = await client.call("PUT", root, 200, { token, body: { description: "Audio" } });
  client.check(changed.body?.description === "Audio", "answer: PUT /api/workspaces/{id} changed nothing");
  const guest = await newcomer(cast.url);
  await client.call("POST", `${root}/invite`, 201, { token, body: { email: newAddress(), role: "member" } });
  await client.call("POST", `${root}/users`, 202, { token, body: { email: guest.email, role: "member" } });
  const mailed = await cast.mailed(guest.email, invitation);
  await client.call("POST", `/organizations/invitations/${mailed}/accept`, 200, { token: guest.token });
  const users = await client.call("GET", `${root}/users`, 200, { token });
  client.check(
    Array.isArray(users.body?.users) && users.body.users.some((user: Json) => user.id === guest.userId),
    "shape: GET /api/workspaces/{id}/users has no users",
  );
  const path = `${root}/users/${guest.userId}`;
  await client.call("PUT", `${path}/role`, 200, { token, body: { role: "admin" } });
  await client.call("PATCH", `${path}/role`, 200, { token, body: { role: "viewer" } });
  await client.call("GET", `${root}/available-users`, 410, { token });
  await client.call("DELETE", path, 200, { token });
  const spare = await client.call("POST", "/organizations", 201, { token, body: { name: "Spare" } });
  await client.call("DELETE", `/api/workspaces/${spare.body?.id}`, 200, { token });
}

async function replaySubUsers(client: LegacyClient, { token, root }: { token: string; root: string }): Promise<void> {
  const made = await client.call("POST", root, 201, {
    token,
    body: {
      email: newAddress(),
      password: newSecret(),
      first_name: "Kim",
      last_name: "Lee",
      limits: { monthly_tokens: 500 },
    },
  });
  checkMembers(client, "sub-user", made.body, {
    id: "string",
    email: "string",
    permissions: "object",
    limits: "object",
    is_active: "boolean",
  });
  client.check(made.body?.name === "Kim Lee", `answer: the sub-user is named ${made.body?.name}`);
  const path = `${root}/${made.body?.id}`;
  const list = await client.call("GET", root, 200, { token });
  checkMembers(client, "sub-users", list.body, { sub_users: "array" });
  await client.call("GET", path, 200, { token });
  await client.call("PUT", path, 200, { token, body: { full_name: "Kim L." } });
  const permissions = { can_view_usage: false, allowed_models: ["gpt-4*"] };
  await client.call("PUT", `${path}/permissions`, 200, { token, body: permissions });
  const limited = await client.call("PUT", `${path}/limits`, 200, { token, body: { limits: { max_api_keys: 1 } } });
  client.check(limited.body?.limits?.max_api_keys === 1, "answer: the limit was not changed");
  await client.call("PUT", `${path}/limits`, 422, { token, body: { monthly_tokens: 1_000_001 } });
  await client.call("POST", `${path}/api-keys`, 201, { token, body: { name: "theirs" } });
  const usage = await client.call("GET", `${path}/usage`, 200, { token });
  checkMembers(client, "usage", usage.body, { tokens_used: "number", monthly_tokens: "number" });
  const bulk = { action: "deactivate", sub_user_ids: [made.body?.id] };
  const results = await client.call("POST", `${root}/bulk`, 200, { token, body: bulk });
  client.check(results.body?.succeeded === 1, "answer: the bulk act did nothing");
  for (const report of ["overview", "activity", "usage-trends", "limits-analysis"])
    await client.call("GET", `/dashboard/sub-users/${report}`, 200, { token });
  await client.call("DELETE", path, 200, { token });
  await client.call("GET", path, 404, { token });
}
