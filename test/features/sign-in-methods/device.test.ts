import { describe, expect, it } from "vitest";
import { bindings, call, type Called, signUp } from "#test/support/harness";

const grantType = "urn:ietf:params:oauth:grant-type:device_code";
const start = async () => (await call("POST", "/v1/auth/device/code", { body: { client_id: "Our editor" } })).body;
const poll = (deviceCode: string): Promise<Called> =>
  call("POST", "/v1/auth/device/token", {
    body: new URLSearchParams({ grant_type: grantType, device_code: deviceCode, client_id: "Our editor" }).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
/** Lets the interval pass: the next poll is not too fast. */
const waitInterval = () => bindings.DB.prepare("update device_grants set polled_at = polled_at - 60000").run();

describe("device authorization", () => {
  it("signs a device in once a person has approved, and gives its tokens once", async () => {
    const person = await signUp();
    const grant = await start();
    expect(grant).toMatchObject({ expires_in: 600, interval: 5, verification_uri: "http://127.0.0.1:8787/device" });
    expect(grant.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(await poll(grant.device_code)).toMatchObject({ status: 400, body: { error: "authorization_pending" } });
    const approved = await person.call("POST", "/v1/auth/device/approve", {
      body: { user_code: grant.user_code.toLowerCase().replace("-", " "), approve: true },
    });
    expect(approved).toMatchObject({ status: 200, body: { status: "approved", client_name: "Our editor" } });
    await waitInterval();
    const answers = await Promise.all([1, 2, 3].map(() => poll(grant.device_code)));
    const [won, ...others] = answers.sort((one, two) => one.status - two.status);
    expect(won).toMatchObject({ status: 200, body: { token_type: "bearer", expires_in: 1800 } });
    expect(won?.headers.get("cache-control")).toBe("no-store");
    expect(others.map(({ body }) => body.error)).toEqual(["invalid_grant", "invalid_grant"]);
    expect((await call("GET", "/v1/auth/me", { as: won?.body.access_token })).body.id).toBe(person.userId);
  });

  it("tells a device that asks too often to slow down, and refuses when the person does", async () => {
    const person = await signUp();
    const grant = await start();
    await poll(grant.device_code);
    expect((await poll(grant.device_code)).body.error).toBe("slow_down");
    await waitInterval();
    expect((await poll(grant.device_code)).body.error).toBe("authorization_pending");
    const decision = { user_code: grant.user_code, approve: false };
    expect((await person.call("POST", "/v1/auth/device/approve", { body: decision })).body.status).toBe("denied");
    await waitInterval();
    expect((await poll(grant.device_code)).body.error).toBe("access_denied");
    expect((await poll(grant.device_code)).body.error).toBe("invalid_grant");
    const late = await person.call("POST", "/v1/auth/device/approve", { body: { ...decision, approve: true } });
    expect(late).toMatchObject({ status: 404, body: { code: "device-code-not-found" } });
  });

  it("ends after ten minutes, for the device and for the person", async () => {
    const person = await signUp();
    const grant = await start();
    await bindings.DB.prepare("update device_grants set expires_at = ?").bind(Date.now()).run();
    expect(await poll(grant.device_code)).toMatchObject({ status: 400, body: { error: "expired_token" } });
    const late = await person.call("POST", "/v1/auth/device/approve", {
      body: { user_code: grant.user_code, approve: true },
    });
    expect(late.status).toBe(404);
  });

  it.each([
    ["no code", {}, "invalid_request"],
    ["a code of nobody", { device_code: "x" }, "invalid_grant"],
    ["another grant", { grant_type: "password", device_code: "x" }, "unsupported_grant_type"],
  ])("answers %s as the RFC says", async (_, body, error) => {
    const answer = await call("POST", "/v1/auth/device/token", { body });
    expect(answer).toMatchObject({ status: 400, body: { error, error_description: expect.any(String) } });
  });

  it("stops a person who guesses codes, and never an API key's holder", async () => {
    const person = await signUp();
    const guess = () =>
      person.call("POST", "/v1/auth/device/approve", { body: { user_code: "BBBB-BBBB", approve: true } });
    const statuses = (await Promise.all(Array.from({ length: 25 }, guess))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 404)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(5);
    const { body } = await person.call("POST", "/v1/api-keys", { body: { name: "program" } });
    const byKey = await call("POST", "/v1/auth/device/approve", {
      as: body.key,
      body: { user_code: "BBBB-BBBB", approve: true },
    });
    expect(byKey.status).toBe(403);
  });

  it("keeps only hashes of its codes", async () => {
    const grant = await start();
    const { results } = await bindings.DB.prepare("select * from device_grants").all();
    const text = JSON.stringify(results);
    for (const secret of [grant.device_code, grant.user_code, grant.user_code.replace("-", "")])
      expect(text).not.toContain(secret);
  });
});

describe("the page /device", () => {
  it("has no inline script and stands in no frame", async () => {
    const page = await call("GET", "/device?user_code=%3Cscript%3E");
    expect(page.status).toBe(200);
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    const html = new TextDecoder().decode(page.bytes);
    expect([...html.matchAll(/<script(?! src=)/g)]).toEqual([]);
    expect(html).not.toMatch(/ on\w+=/);
    expect((await call("GET", "/device/page.js")).headers.get("content-type")).toContain("javascript");
  });
});
