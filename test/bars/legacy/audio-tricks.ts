/** The account of system D's client: it signs in by address or user name, and both stand in the same field. */
import { type Cast, newAddress, newName, newSecret } from "./cast.ts";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";

const user = { id: "string", email: "string", username: "string", role: "string" };

export async function replayAudioTricks(client: LegacyClient, { mailed }: Cast): Promise<void> {
  const [email, username, password] = [newAddress(), newName(), newSecret()];
  const body = { email, username, password };
  const made = await client.call("POST", "/api/auth/register", 201, { body });
  checkMembers(client, "register", made.body, { message: "string", user: "object" });
  checkMembers(client, "register.user", made.body?.user, user);
  await client.call("POST", "/api/auth/register", 409, { body });
  await client.call("POST", "/api/auth/register", 409, { body: { ...body, email: newAddress() } });
  for (const wrong of [{ username: "a b" }, { password: "short" }, { email: "no address" }, { role: "superadmin" }])
    await client.call("POST", "/api/auth/register", 422, { body: { email: newAddress(), password, ...wrong } });
  const sessions: string[] = [];
  for (const given of [email, username]) {
    const { body: login } = await client.call("POST", "/api/auth/login", 200, { body: { email: given, password } });
    checkMembers(client, "login", login, { message: "string", token: "string", user: "object" });
    checkMembers(client, "login.user", login?.user, user);
    client.check(login?.user?.username === username, `answer: ${given} signs in as ${login?.user?.username}`);
    sessions.push(String(login?.token));
  }
  const [token = "", other = ""] = sessions;
  await replayMe(client, { token, email });
  const next = newSecret();
  const passwords = { currentPassword: password, newPassword: next };
  await client.call("PUT", "/api/auth/change-password", 422, { token, body: { ...passwords, currentPassword: "no" } });
  await client.call("PUT", "/api/auth/change-password", 200, { token, body: passwords });
  for (const ended of [other, token]) await client.call("GET", "/api/auth/me", 401, { token: ended });
  await client.call("POST", "/api/auth/login", 401, { body: { email, password } });
  await replayReset(client, { email, mailed });
}

async function replayMe(client: LegacyClient, { token, email }: { token: string; email: string }): Promise<void> {
  const me = await client.call("GET", "/api/auth/me", 200, { token });
  checkMembers(client, "me", me.body, user);
  checkMembers(client, "me.user", me.body?.user, user);
  client.check(me.body?.email === email, "answer: /api/auth/me is somebody else");
  const made = await client.call("POST", "/api/workspaces", 201, {
    token,
    body: { name: "Radio", description: "Every morning" },
  });
  const workspace = { id: "string", name: "string", slug: "string", description: "string" };
  checkMembers(client, "workspace", made.body, workspace);
  client.check(/^[a-z0-9-]{2,50}$/.test(made.body?.slug), `shape: the slug is ${made.body?.slug}`);
  const list = await client.call("GET", "/api/workspaces", 200, { token });
  checkMembers(client, "workspaces", list.body, { workspaces: "array" });
  const found = ((list.body?.workspaces ?? []) as Json[]).find(({ id }) => id === made.body?.id);
  checkMembers(client, "workspaces[]", found, workspace);
  const one = await client.call("GET", `/api/workspaces/${made.body?.id}`, 200, { token });
  checkMembers(client, "workspace", one.body, workspace);
  await client.call("POST", "/api/workspaces", 422, { token, body: { name: "x" } });
  await client.call("GET", "/api/workspaces/wks_00000000000000000000000000", 404, { token });
}

async function replayReset(
  client: LegacyClient,
  { email, mailed }: { email: string; mailed: Cast["mailed"] },
): Promise<void> {
  await client.call("POST", "/api/auth/password-reset", 200, { body: { email } });
  const [password, link] = [newSecret(), /reset-password\?token=([\w-]+)/];
  const confirm = { token: await mailed(email, link), password };
  await client.call("POST", "/api/auth/password-reset/confirm", 200, { body: confirm });
  await client.call("POST", "/api/auth/password-reset/confirm", 422, { body: confirm });
  const last = await client.call("POST", "/api/auth/login", 200, { body: { email, password } });
  const token = String(last.body?.token);
  await client.call("POST", "/api/auth/delete-account", 422, { token, body: { password: "not the password" } });
  await client.call("POST", "/api/auth/delete-account", 200, { token, body: { password } });
  await client.call("GET", "/api/auth/me", 401, { token });
}
