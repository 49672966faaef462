import { afterEach, describe, expect, it, vi } from "vitest";
import { features } from "#app/features";
import { openFormNames } from "#core/open-forms";
import { bindings, call, signUp } from "#test/support/harness";

const env = { ...bindings, TURNSTILE_SITE_KEY: "site", TURNSTILE_SECRET_KEY: "of the deployer" };
const password = "a long enough secret 42";
const register = (more: object = {}, headers: Record<string, string> = {}) =>
  call("POST", "/v1/auth/register", {
    env,
    headers,
    body: { email: `${crypto.randomUUID()}@example.com`, password, ...more },
  });

/** Turnstile as far as the product sees it: the token "good" passes. */
function answerTurnstile(): URLSearchParams[] {
  const asked: URLSearchParams[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const request = input as Request;
    expect(request.url).toBe("https://challenges.cloudflare.com/turnstile/v0/siteverify");
    const form = new URLSearchParams(Buffer.from(await request.arrayBuffer()).toString());
    asked.push(form);
    return Response.json({ success: form.get("response") === "good" });
  });
  return asked;
}

afterEach(() => vi.restoreAllMocks());

describe("Turnstile", () => {
  it("is asked for a form with a token, in the body, in a form or in a header", async () => {
    const asked = answerTurnstile();
    expect((await register({ turnstileToken: "good" })).status).toBe(201);
    expect((await register({}, { "x-turnstile-token": "good" })).status).toBe(201);
    const { email } = await signUp();
    const form = new URLSearchParams({ username: email, password: "wrong one", turnstileToken: "good" });
    const login = await call("POST", "/v1/auth/login", {
      env,
      body: form.toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(login.body.code).toBe("sign-in-failed");
    expect(asked.map((sent) => [sent.get("secret"), sent.get("response")])).toEqual(
      Array.from({ length: 3 }, () => ["of the deployer", "good"]),
    );
  });

  it("stops whoever sends none, a wrong one or a senseless one, and nothing is made", async () => {
    answerTurnstile();
    const email = `${crypto.randomUUID()}@example.com`;
    for (const turnstileToken of [undefined, "", "bad", 7, "x".repeat(3_000)])
      expect(await register({ email, turnstileToken })).toMatchObject({
        status: 403,
        body: { code: "human-check-failed" },
      });
    expect(await bindings.DB.prepare("select 1 from users where email = ?").bind(email).first()).toBeNull();
  });

  it("keeps forms closed while it cannot be reached or answers nonsense", async () => {
    for (const answer of [new Response("busy", { status: 500 }), Response.json({}), Response.json(null)]) {
      vi.spyOn(globalThis, "fetch").mockResolvedValueOnce(answer);
      const closed = await register({ turnstileToken: "good" });
      expect(closed).toMatchObject({ status: 503, body: { code: "human-check-unavailable" } });
      expect(closed.headers.get("retry-after")).toBe("10");
    }
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("no route"));
    expect((await register({ turnstileToken: "good" })).status).toBe(503);
  });

  it("costs no token when the form is not valid, and nothing where it is not configured", async () => {
    const asked = answerTurnstile();
    expect((await register({ password: "short", turnstileToken: "good" })).status).toBe(422);
    const plain = { email: `${crypto.randomUUID()}@example.com`, password };
    expect((await call("POST", "/v1/auth/register", { body: plain })).status).toBe(201);
    expect(asked).toEqual([]);
  });

  it("is on the page for devices, whose policy lets it in", async () => {
    const page = await call("GET", "/device", { env });
    expect(new TextDecoder().decode(page.bytes)).toContain('data-sitekey="site"');
    expect(page.headers.get("content-security-policy")).toContain("frame-src https://challenges.cloudflare.com");
  });

  it("guards open operations that take a body, and no other", () => {
    const named = features.flatMap(({ endpoints }) => endpoints).filter(({ name }) => openFormNames.includes(name));
    expect(named.length).toBeGreaterThan(1);
    for (const spec of named) expect(spec).toMatchObject({ access: "public", method: "post", body: expect.anything() });
  });
});
