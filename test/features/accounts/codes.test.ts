/** Mailed codes: judged at most five times however many guesses come at once, sent within limits, alike for known and unknown addresses. */
import { describe, expect, it } from "vitest";
import { checkCode, issueCode } from "#features/accounts/service";
import { call, type Called, signUp, systemContext } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";
import { askedCode, runCodeJobs, unique, without } from "./support.ts";

const guesses = (code: string, count: number) =>
  Array.from({ length: count }, (_, index) => String(index).padStart(6, "0")).filter((guess) => guess !== code);

function at(nowMs: number) {
  return { ...systemContext(), now: () => nowMs };
}

describe("a code", () => {
  it("is right once, for its purpose, its person and what it is bound to", async () => {
    const ctx = systemContext();
    const name = { purpose: "verify-email" as const, subject: unique(), boundTo: "a@example.com" };
    const { code } = await issueCode(ctx, name, { detail: "kept" });
    expect(code).toMatch(/^\d{6}$/);
    for (const other of [
      { ...name, purpose: "sign-in" as const },
      { ...name, subject: unique() },
    ])
      await expect(checkCode(ctx, other, code)).rejects.toMatchObject({ code: "code-wrong" });
    await expect(checkCode(ctx, { ...name, boundTo: "b@example.com" }, code)).rejects.toMatchObject({
      code: "code-wrong",
    });
    expect(await checkCode(ctx, name, ` ${code} `)).toEqual({ detail: "kept" });
    await expect(checkCode(ctx, name, code)).rejects.toMatchObject({ code: "code-wrong" });
  });

  it("ends with the fifth wrong guess, however many come at once", async () => {
    const ctx = systemContext();
    const name = { purpose: "sign-in" as const, subject: unique() };
    const { code } = await issueCode(ctx, name);
    const outcomes = await Promise.allSettled(guesses(code, 400).map((guess) => checkCode(ctx, name, guess)));
    expect(outcomes.every((outcome) => outcome.status === "rejected")).toBe(true);
    await expect(checkCode(ctx, name, code)).rejects.toMatchObject({ code: "code-wrong" });
    // Whoever it is for need not wait: the guesses were not theirs.
    const next = await issueCode(ctx, name);
    expect(await checkCode(ctx, name, next.code)).toEqual({ detail: null });
  });

  it("survives four wrong guesses, and is right for one of many that come at once", async () => {
    const ctx = systemContext();
    const name = { purpose: "sign-in" as const, subject: unique() };
    const { code } = await issueCode(ctx, name);
    await Promise.allSettled(
      guesses(code, 5)
        .slice(0, 4)
        .map((guess) => checkCode(ctx, name, guess)),
    );
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => checkCode(ctx, name, code)));
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
  });

  it("lasts ten minutes, or a day where it proves an address, and ends with the next one", async () => {
    const ctx = systemContext();
    const minute = 60_000;
    for (const [purpose, life] of [
      ["sign-in", 10 * minute],
      ["verify-email", 24 * 60 * minute],
    ] as const) {
      const name = { purpose, subject: unique() };
      const { code, expiresAt } = await issueCode(ctx, name);
      expect(Math.abs(expiresAt - ctx.now() - life)).toBeLessThan(5_000);
      await expect(checkCode(at(expiresAt), name, code)).rejects.toMatchObject({ code: "code-wrong" });
      const next = await issueCode(at(expiresAt), name);
      if (next.code !== code)
        await expect(checkCode(at(expiresAt), name, code)).rejects.toMatchObject({ code: "code-wrong" });
      await checkCode(at(expiresAt), name, next.code);
    }
  });

  it("is sent after a pause of five minutes, three times a day, unless it was used", async () => {
    const noon = Date.UTC(2031, 4, 5, 12);
    const name = { purpose: "sign-in" as const, subject: unique() };
    const minute = 60_000;
    await issueCode(at(noon), name);
    await expect(issueCode(at(noon + minute), name)).rejects.toMatchObject({
      code: "code-sent-recently",
      options: { members: { retryAfter: 240 } },
    });
    const second = await issueCode(at(noon + 5 * minute), name);
    await checkCode(at(noon + 6 * minute), name, second.code);
    await issueCode(at(noon + 7 * minute), name);
    await issueCode(at(noon + 12 * minute), name);
    await expect(issueCode(at(noon + 30 * minute), name)).rejects.toMatchObject({
      code: "code-limit-reached",
      options: { members: { retryAfter: 12 * 3_600 - 30 * 60 } },
    });
    expect((await issueCode(at(noon + 12 * 60 * minute), name)).code).toMatch(/^\d{6}$/);
  });
});

const seen = ({ status, headers, body }: Called) => ({
  status,
  headers: [...headers]
    .filter(([name]) => !["x-request-id", "x-d1-bookmark", "ratelimit"].includes(name))
    .filter(([name]) => !name.startsWith("x-ratelimit")),
  body: without(body, "requestId"),
});

describe.each(["/v1/auth/email-code", "/v1/auth/forgot-password"])("%s", (path) => {
  it("answers known and unknown addresses alike, the first time and again", async () => {
    const person = await signUp();
    const stranger = unique();
    for (const status of [200, 429]) {
      const known = await call("POST", path, { body: { email: person.email } });
      const unknown = await call("POST", path, { body: { email: stranger } });
      expect(known.status).toBe(status);
      expect(without(seen(known), "body")).toEqual(without(seen(unknown), "body"));
      expect(without(known.body, "requestId", "retryAfter")).toEqual(without(unknown.body, "requestId", "retryAfter"));
    }
    await runCodeJobs(stranger);
    expect(await mailsTo(stranger)).toEqual([]);
    await runCodeJobs(person.email);
    expect(await mailsTo(person.email)).toHaveLength(1);
  });
});

describe("signing in by a mailed code", () => {
  it("works while strangers have locked the password, and proves the address", async () => {
    const person = await signUp();
    for (let count = 0; count < 6; count += 1)
      await call("POST", "/v1/auth/login", { body: { email: person.email, password: "not the password" } });
    expect((await call("POST", "/v1/auth/login", { body: person })).status).toBe(423);
    await call("POST", "/v1/auth/email-code", { body: { email: person.email.toUpperCase() } });
    const code = await askedCode(person.email, "sign-in-code");
    const signedIn = await call("POST", "/v1/auth/email-code/verify", { body: { email: person.email, code } });
    expect(signedIn).toMatchObject({ status: 200, body: { token_type: "bearer", user: { email_verified: true } } });
    expect((await call("GET", "/v1/auth/me", { as: signedIn.body.access_token })).status).toBe(200);
    const again = await call("POST", "/v1/auth/email-code/verify", { body: { email: person.email, code } });
    expect(again).toMatchObject({ status: 422, body: { code: "code-wrong" } });
  });

  it("answers a wrong code alike for known and unknown addresses", async () => {
    const person = await signUp();
    await call("POST", "/v1/auth/email-code", { body: { email: person.email } });
    const send = (email: string) => call("POST", "/v1/auth/email-code/verify", { body: { email, code: "12345x" } });
    const [known, unknown] = [await send(person.email), await send(unique())];
    expect(known.status).toBe(422);
    expect(without(known.body, "requestId")).toEqual(without(unknown.body, "requestId"));
  });

  it("never shows the code in a row of the database", async () => {
    const person = await signUp();
    await call("POST", "/v1/auth/email-code", { body: { email: person.email } });
    const { results } = await systemContext()
      .env.DB.prepare("select payload from jobs where payload ->> 'address' = ?")
      .bind(person.email)
      .all<{ payload: string }>();
    const code = await askedCode(person.email, "sign-in-code");
    expect(results).toHaveLength(1);
    expect(results[0]?.payload).not.toContain(code);
  });
});

describe("a new password by a mailed code", () => {
  it("ends all sessions, opens the lock and takes the old password away", async () => {
    const person = await signUp();
    for (let count = 0; count < 6; count += 1)
      await call("POST", "/v1/auth/login", { body: { email: person.email, password: "not the password" } });
    await call("POST", "/v1/auth/forgot-password", { body: { email: person.email } });
    const code = await askedCode(person.email, "reset-password");
    const reset = (body: object) => call("POST", "/v1/auth/reset-password", { body: { email: person.email, ...body } });
    expect(await reset({ code, newPassword: "password123" })).toMatchObject({ body: { code: "password-too-common" } });
    expect(await reset({ code: "x", newPassword: "another long secret" })).toMatchObject({ status: 422 });
    expect(await reset({ code, newPassword: "another long secret" })).toMatchObject({
      status: 200,
      body: { success: true },
    });
    expect((await person.call("GET", "/v1/auth/me")).status).toBe(401);
    const login = (password: string) => call("POST", "/v1/auth/login", { body: { email: person.email, password } });
    expect((await login("another long secret")).status).toBe(200);
    expect((await login(person.password)).status).toBe(401);
    expect((await mailsTo(person.email)).map((mail) => mail.template)).toContain("password-changed");
    expect(await reset({ code, newPassword: "a third long secret" })).toMatchObject({ body: { code: "code-wrong" } });
  });

  it("works by the link of the mail, whose token names address and code", async () => {
    const person = await signUp();
    await call("POST", "/v1/auth/forgot-password", { body: { email: person.email } });
    await askedCode(person.email, "reset-password");
    const mail = (await mailsTo(person.email)).find(({ template }) => template === "reset-password");
    const token = /reset-password\?token=([\w-]+)/.exec(mail?.text ?? "")?.[1];
    const body = { token, newPassword: "another long secret" };
    expect((await call("POST", "/v1/auth/reset-password", { body: { ...body, token: "bm90" } })).status).toBe(422);
    expect((await call("POST", "/v1/auth/reset-password", { body })).status).toBe(200);
  });
});
