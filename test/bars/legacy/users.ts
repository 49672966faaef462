/** The accounts of system B. */
import { newAddress, newName, newSecret } from "./cast.ts";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";

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
  const [email, password, next] = [newAddress(), newSecret(), newSecret()];
  const username = newName();
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
  checkMembers(client, "profile.credits", profile.body?.credits, { main: "number", reset: "number" });
  checkMembers(client, "profile.limits", profile.body?.limits, { conversation_limit: "number", reset: "number" });
  checkMembers(client, "profile", profile.body, {
    id: "string",
    username: "string",
    name: "string",
    email: "string",
    user_type: "string",
    subscription_plan: "string",
    is_verified: "boolean",
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
  const newEmail = { new_email: newAddress(), current_password: password };
  await client.call("PUT", `${root}/email`, 422, { token, body: { ...newEmail, current_password: "no" } });
  await client.call("PUT", `${root}/email`, 200, { token, body: newEmail });
  const passwords = { current_password: password, new_password: next };
  await client.call("PUT", `${root}/password`, 200, { token, body: passwords });
  if (root !== "/v1/users") return;
  const status = await client.call("GET", "/v1/email/status", 200, { token });
  checkMembers(client, "email status", status.body, {
    success: "boolean",
    is_verified: "boolean",
    email: "string",
    verification_enabled: "boolean",
    verification_required_for_api: "boolean",
  });
  client.check(status.body?.verification_enabled === false, "fixtures: verification is on in this replay");
  // Switched off, as its server answered then.
  await client.call("POST", "/v1/email/send-verification", 400, { token });
  await client.call("POST", "/v1/email/resend", 400, { token });
  await client.call("POST", "/v1/email/verify", 400, { token, body: { otp_code: "000000" } });
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
