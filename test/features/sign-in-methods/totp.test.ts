import { Secret, TOTP } from "otpauth";
import { describe, expect, it } from "vitest";
import { bindings, call, type Person, signUp } from "#test/support/harness";

const codeOf = (secret: string, stepsFromNow: number) =>
  TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + stepsFromNow * 30_000 });

const enroll = (person: Person) => person.call("POST", "/v1/auth/totp/enroll", { body: { password: person.password } });

/** With an active app; the code of the step before this one was used for it. */
async function withApp(): Promise<Person & { secret: string }> {
  const person = await signUp();
  const offer = await enroll(person);
  expect(offer.status).toBe(200);
  const verified = await person.call("POST", "/v1/auth/totp/verify", { body: { code: codeOf(offer.body.secret, -1) } });
  expect(verified).toMatchObject({ status: 200, body: { active: true, recoveryCodesLeft: 0 } });
  return { ...person, secret: offer.body.secret };
}

const login = (person: Person) =>
  call("POST", "/v1/auth/login", { body: { email: person.email, password: person.password } });
const finish = (body: Record<string, unknown>) => call("POST", "/v1/auth/login", { body });

describe("an authenticator app", () => {
  it("is offered with a secret, an otpauth address and a picture, and kept enveloped", async () => {
    const person = await signUp();
    const offer = await enroll(person);
    expect(new URL(offer.body.otpauthUrl).searchParams.get("secret")).toBe(offer.body.secret);
    expect(offer.body.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(atob(offer.body.qrCode.split(",")[1])).toContain("<svg");
    const row = await bindings.DB.prepare("select * from totp_factors where user_id = ?").bind(person.userId).first();
    expect(JSON.stringify(row)).not.toContain(offer.body.secret);
    expect((await login(person)).status).toBe(200);
  });

  it("is asked for at sign-in once it is active, with a ticket that its code turns into a session", async () => {
    const person = await withApp();
    const first = await login(person);
    expect(first).toMatchObject({ status: 401, body: { code: "second-factor-required", ticket: expect.any(String) } });
    expect(first.body.access_token).toBeUndefined();
    const second = await finish({ ticket: first.body.ticket, totp_code: codeOf(person.secret, 0) });
    expect(second).toMatchObject({ status: 200, body: { user: { id: person.userId } } });
    expect((await call("GET", "/v1/auth/me", { as: second.body.access_token })).status).toBe(200);
  });

  it("accepts each time step once, also in parallel, and none that is two steps away", async () => {
    const person = await withApp();
    const { ticket } = (await login(person)).body;
    for (const steps of [-3, 3])
      expect(await finish({ ticket, totp_code: codeOf(person.secret, steps) })).toMatchObject({
        status: 401,
        body: { code: "second-factor-wrong" },
      });
    const code = codeOf(person.secret, 0);
    const answers = await Promise.all([1, 2, 3].map(() => finish({ ticket, totp_code: code })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    expect((await finish({ ticket, totp_code: codeOf(person.secret, -1) })).status).toBe(401);
  });

  it("locks after five wrong codes, and a recovery code still gets the owner in", async () => {
    const person = await withApp();
    const made = await person.call("POST", "/v1/auth/totp/recovery-codes", {
      body: { code: codeOf(person.secret, 0) },
    });
    expect(made.body.recoveryCodes).toHaveLength(10);
    const { ticket } = (await login(person)).body;
    const guesses = await Promise.all(Array.from({ length: 8 }, () => finish({ ticket, totp_code: "000000" })));
    expect(guesses.filter(({ body }) => body.code === "second-factor-wrong")).toHaveLength(5);
    const right = await finish({ ticket, totp_code: codeOf(person.secret, 1) });
    expect(right).toMatchObject({
      status: 423,
      body: { code: "second-factor-locked", retryAfter: expect.any(Number) },
    });
    const [code] = made.body.recoveryCodes;
    expect((await finish({ ticket, recovery_code: code.toUpperCase().replaceAll("-", " ") })).status).toBe(200);
    expect((await finish({ ticket, recovery_code: code })).status).toBe(401);
  });

  it.each([
    ["a ticket of nobody", { ticket: "ovk_1.e30.AAAA", totp_code: "123456" }, 401, "sign-in-ticket-invalid"],
    ["no ticket and no password", { totp_code: "123456" }, 422, "validation-failed"],
    ["a ticket without a code", { ticket: "ovk_1.e30.AAAA" }, 422, "validation-failed"],
  ])("refuses %s", async (_, body, status, code) => {
    expect(await finish(body)).toMatchObject({ status, body: { code } });
  });

  it("refuses a ticket of which a letter was changed, and one from before a change of the password", async () => {
    const person = await withApp();
    const { ticket } = (await login(person)).body as { ticket: string };
    const [head = "", payload = "", mac = ""] = ticket.split(".");
    const other = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    const forged = btoa(JSON.stringify({ ...other, userId: (await signUp()).userId })).replaceAll("=", "");
    expect((await finish({ ticket: `${head}.${forged}.${mac}`, totp_code: codeOf(person.secret, 0) })).status).toBe(
      401,
    );
    await person.call("POST", "/v1/auth/change-password", {
      body: { currentPassword: person.password, newPassword: `another long secret ${crypto.randomUUID()}` },
    });
    expect(await finish({ ticket, totp_code: codeOf(person.secret, 0) })).toMatchObject({
      status: 401,
      body: { code: "sign-in-ticket-invalid" },
    });
  });

  it("goes away, and gets new recovery codes, for a code or the password only", async () => {
    const person = await withApp();
    const remove = (body: object) => person.call("DELETE", "/v1/auth/totp", { body });
    expect(await remove({})).toMatchObject({ status: 422 });
    expect(await remove({ code: "000000" })).toMatchObject({ status: 401, body: { code: "second-factor-wrong" } });
    expect(await remove({ password: "wrong password" })).toMatchObject({
      status: 422,
      body: { code: "password-wrong" },
    });
    expect((await login(person)).status).toBe(401);
    expect((await remove({ password: person.password })).status).toBe(204);
    expect((await login(person)).status).toBe(200);
    expect(await remove({ password: person.password })).toMatchObject({ status: 409, body: { code: "totp-inactive" } });
  });

  it("is not replaced by a second offer, and says what is missing", async () => {
    const person = await withApp();
    expect(await enroll(person)).toMatchObject({
      status: 409,
      body: { code: "totp-active" },
    });
    const other = await signUp();
    expect(await other.call("POST", "/v1/auth/totp/verify", { body: { code: "123456" } })).toMatchObject({
      status: 409,
      body: { code: "totp-not-offered" },
    });
    await enroll(other);
    expect(await other.call("POST", "/v1/auth/totp/verify", { body: { code: "000000" } })).toMatchObject({
      status: 401,
      body: { code: "second-factor-wrong" },
    });
    expect((await login(other)).status).toBe(200);
  });
});
