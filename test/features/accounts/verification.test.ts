/** Addresses that have to be verified: nothing tells whether one was taken, and keys and models stay closed until it is proven. */
import { describe, expect, it } from "vitest";
import { bindings, call as callPlain, type CallOptions, signUp } from "#test/support/harness";
import { mailedCode, mailsTo } from "#test/support/mails";
import { password, unique, username, verifying, without } from "./support.ts";

const call = (method: string, path: string, options: CallOptions = {}) =>
  callPlain(method, path, { env: verifying, ...options });

async function enroll() {
  const email = unique();
  const registered = await call("POST", "/v1/users/register", {
    body: { username: username(), name: "Ada Lovelace", email, password },
  });
  const login = await call("POST", "/v1/users/login", { body: { email, password } });
  return { email, registered, token: login.body.session.session_token as string };
}

describe("with verification", () => {
  it("registers without a key, mails a code, and opens keys once it is used", async () => {
    const { email, registered, token } = await enroll();
    expect(registered).toMatchObject({ status: 201, body: { api_key: null, verification_required: true } });
    expect((await call("GET", "/v1/email/status", { as: token })).body).toEqual({
      success: true,
      is_verified: false,
      email,
      verification_enabled: true,
      verification_required_for_api: true,
    });
    for (const path of ["/v1/users/api-key"])
      expect(await call("GET", path, { as: token })).toMatchObject({
        status: 403,
        body: { code: "email-not-verified" },
      });
    const made = await call("POST", "/v1/api-keys", { as: token, body: { name: "early" } });
    expect(made).toMatchObject({ status: 403, body: { code: "email-not-verified" } });
    const wrong = await call("POST", "/v1/email/verify", { as: token, body: { otp_code: "nope" } });
    expect(wrong).toMatchObject({ status: 422, body: { code: "code-wrong" } });
    const otp_code = await mailedCode(email, "verify-email");
    expect((await call("POST", "/v1/email/verify", { as: token, body: { otp_code } })).body.success).toBe(true);
    const shown = await call("GET", "/v1/users/api-key", { as: token });
    expect(shown.body.api_key).toMatch(/^ovt_live_/);
    const again = await call("GET", "/v1/users/api-key", { as: token });
    expect(again.body).toMatchObject({ api_key: null, api_key_prefix: shown.body.api_key_prefix });
    expect(shown.body.api_key.startsWith(shown.body.api_key_prefix)).toBe(true);
    expect((await call("GET", "/v1/jobs", { as: shown.body.api_key })).status).toBe(200);
    expect(await call("POST", "/v1/email/resend", { as: token })).toMatchObject({
      body: { code: "email-already-verified" },
    });
  });

  it("refuses the API keys of a person whose address is not verified, old ones too", async () => {
    const person = await signUp();
    const { body } = await person.call("POST", "/v1/api-keys", { body: { name: "old" } });
    expect((await callPlain("GET", "/v1/jobs", { as: body.key })).status).toBe(200);
    expect(await call("GET", "/v1/jobs", { as: body.key })).toMatchObject({ body: { code: "email-not-verified" } });
    await bindings.DB.prepare("update users set email_verified_at = 1 where id = ?").bind(person.userId).run();
    expect((await call("GET", "/v1/jobs", { as: body.key })).status).toBe(200);
  });

  it("answers a taken address like a free one, and tells its owner", async () => {
    const { email, registered } = await enroll();
    const body = { username: username(), name: "Ada Lovelace", email, password: "another long secret 42" };
    const again = await call("POST", "/v1/users/register", { body });
    expect(again.status).toBe(201);
    const shape = (answer: typeof again) => without(answer.body, "user_id", "username", "email");
    expect(shape(again)).toEqual(shape(registered));
    expect(again.body.user_id).not.toBe(registered.body.user_id);
    const native = await call("POST", "/v1/auth/register", { body: { email, password, signIn: true } });
    const fresh = await call("POST", "/v1/auth/register", { body: { email: unique(), password, signIn: true } });
    expect([native.status, fresh.status]).toEqual([201, 201]);
    expect(Object.keys(native.body.user)).toEqual(Object.keys(fresh.body.user));
    expect([native.body.session, fresh.body.session]).toEqual([null, null]);
    expect((await call("POST", "/v1/users/login", { body: { email, password } })).status).toBe(200);
    expect((await call("POST", "/v1/users/login", { body: { email, password: body.password } })).status).toBe(401);
    const told = (await mailsTo(email)).filter(({ template }) => template === "account-exists");
    expect(told).toHaveLength(1);
    const taken = await call("POST", "/v1/users/register", { body: { ...body, username: registered.body.username } });
    expect(taken).toMatchObject({ status: 409, body: { code: "username-taken" } });
  });

  it("sends no second code within five minutes", async () => {
    const { token } = await enroll();
    const answer = await call("POST", "/v1/email/send-verification", { as: token });
    expect(answer).toMatchObject({ status: 429, body: { code: "code-sent-recently" } });
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(200);
  });
});

describe("without verification", () => {
  it("answers 400 to the codes, 409 to a taken address, and shows the key at once", async () => {
    const email = unique();
    const body = { username: username(), name: "Ada Lovelace", email, password };
    const registered = await callPlain("POST", "/v1/users/register", { body });
    expect(registered.body).toMatchObject({
      success: true,
      username: body.username,
      email,
      verification_required: false,
    });
    expect((await callPlain("GET", "/v1/jobs", { as: registered.body.api_key })).status).toBe(200);
    const again = await callPlain("POST", "/v1/users/register", { body: { ...body, username: username() } });
    expect(again).toMatchObject({ status: 409, body: { code: "email-taken" } });
    const login = await callPlain("POST", "/v1/users/login", { body: { email, password } });
    const as = login.body.session.session_token;
    for (const path of ["send-verification", "resend"])
      expect(await callPlain("POST", `/v1/email/${path}`, { as })).toMatchObject({
        status: 400,
        body: { code: "email-verification-disabled" },
      });
    expect((await callPlain("POST", "/v1/email/verify", { as, body: { otp_code: "1" } })).status).toBe(400);
  });
});
