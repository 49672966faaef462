/** The accounts of system A (and the calls of D that share the same table): a client that reads `data.token` and `data.user`. */
import { randomBytes } from "node:crypto";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";

export interface LegacyPerson {
  email: string;
  password: string;
  userId: string;
  token: string;
}

function checkSession(client: LegacyClient, what: string, body: Json): void {
  checkMembers(client, what, body, {
    success: "boolean",
    message: "string",
    token: "string",
    user: "object",
    data: "object",
  });
  checkMembers(client, `${what}.data`, body?.data, { token: "string", user: "object" });
  client.check(body?.success === true && body?.data?.token === body?.token, `shape: ${what} has two tokens`);
  checkMembers(client, `${what}.data.user`, body?.data?.user, { id: "string", email: "string", name: "string" });
}

export async function register(client: LegacyClient): Promise<LegacyPerson> {
  const email = `legacy-${randomBytes(8).toString("hex")}@example.com`;
  const password = randomBytes(18).toString("base64url");
  const registered = await client.call("POST", "/api/auth/register", 201, {
    body: { name: "Alice Legacy", email, password },
  });
  checkSession(client, "register", registered.body);
  const signedIn = await client.call("POST", "/api/auth/login", 200, { body: { email, password } });
  checkSession(client, "login", signedIn.body);
  return { email, password, userId: String(signedIn.body?.data?.user?.id), token: String(signedIn.body?.data?.token) };
}

export async function replayAccounts(client: LegacyClient): Promise<void> {
  const person = await register(client);
  const { email, token } = person;
  await client.call("POST", "/api/auth/register", 409, {
    body: { name: "Alice Legacy", email, password: person.password },
  });
  await client.call("POST", "/api/auth/login", 401, { body: { email, password: "not the password" } });
  await client.call("GET", "/api/user/profile", 401);

  const profile = await client.call("GET", "/api/user/profile", 200, { token });
  checkMembers(client, "profile", profile.body, { success: "boolean", data: "object" });
  client.check(profile.body?.data?.email === email, "shape: profile.data.email is another");
  const changed = await client.call("PUT", "/api/user/profile", 200, { token, body: { name: "Alice Renamed" } });
  client.check(changed.body?.data?.name === "Alice Renamed", "answer: the profile did not take the new name");
  await client.call("PUT", "/api/user/profile", 422, { token, body: { role: "superadmin" } });

  const newPassword = randomBytes(18).toString("base64url");
  await client.call("POST", "/api/user/change-password", 401, {
    body: { currentPassword: person.password, newPassword },
  });
  await refuseWrongPassword(client, { token, newPassword });
  const done = await client.call("POST", "/api/user/change-password", 200, {
    token,
    body: { currentPassword: person.password, newPassword },
  });
  client.check(done.body?.success === true, "shape: change-password does not say success");
  await client.call("POST", "/api/auth/login", 401, { body: { email, password: person.password } });
  await client.call("POST", "/api/auth/login", 200, { body: { email, password: newPassword } });

  const google = await client.call("POST", "/api/auth/google", 410, { body: { email, name: "Alice", googleId: "1" } });
  client.check(google.body?.code === "use-oauth", "refusal: google sign-in is not answered with use-oauth");
  await replaySharedRows(client, { token, password: newPassword });
}

async function refuseWrongPassword(
  client: LegacyClient,
  { token, newPassword }: { token: string; newPassword: string },
): Promise<void> {
  const refused = await client.call("POST", "/api/user/change-password", 422, {
    token,
    body: { currentPassword: "not the password", newPassword },
  });
  client.check(
    refused.body?.code === "password-wrong",
    `refusal: a wrong current password is answered ${refused.body?.code}`,
  );
}

/** Rows that system D's client calls on the same `/api/auth` paths. */
async function replaySharedRows(
  client: LegacyClient,
  { token, password }: { token: string; password: string },
): Promise<void> {
  const me = await client.call("GET", "/api/auth/me", 200, { token });
  client.check(
    typeof me.body?.user?.email === "string" && me.body?.email === me.body?.user?.email,
    "shape: /api/auth/me has not the user at both places",
  );
  const refreshed = await client.call("POST", "/api/auth/refresh", 200, { token });
  checkMembers(client, "refresh", refreshed.body, { token: "string" });
  const renamed = await client.call("PUT", "/api/auth/profile", 200, { token, body: { name: "Alice Once More" } });
  client.check(renamed.body?.data?.name === "Alice Once More", "answer: /api/auth/profile did not take the name");
  const next = randomBytes(18).toString("base64url");
  const email = String(me.body?.email);
  const body = { currentPassword: password, newPassword: next };
  await client.call("PUT", "/api/auth/change-password", 200, { token, body });
  await client.call("GET", "/api/auth/me", 401, { token });
  const again = await client.call("POST", "/api/auth/login", 200, { body: { email, password: next } });
  const fresh = String(again.body?.token);
  const out = await client.call("POST", "/api/auth/logout", 200, { token: fresh });
  client.check(out.body?.success === true, "shape: logout does not say success");
  await client.call("GET", "/api/auth/me", 401, { token: fresh });
}
