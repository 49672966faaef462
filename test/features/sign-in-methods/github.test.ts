import { afterEach, describe, expect, it, vi } from "vitest";
import { bindings, call, type Called, signUp } from "#test/support/harness";

const site = "https://github.example";
const env = {
  ...bindings,
  SIGN_IN_PROVIDERS: JSON.stringify({ github: { clientId: "our-id", clientSecret: "unused here", issuer: site } }),
};

interface Person {
  id: number;
  emails: { email: string; primary: boolean; verified: boolean }[];
}

/** GitHub as far as a sign-in sees it. */
function answerAs({ id, emails }: Person, asked: Request[] = []): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const request = input as Request;
    asked.push(request.clone());
    const { pathname } = new URL(request.url);
    if (pathname === "/login/oauth/access_token")
      return Response.json({ access_token: "theirs", token_type: "bearer", scope: "read:user,user:email" });
    if (pathname === "/api/v3/user") return Response.json({ id, login: "ada", name: null });
    if (pathname === "/api/v3/user/emails") return Response.json(emails);
    return new Response("?", { status: 404 });
  });
}

async function comeBack(change: (url: URL) => void = () => undefined, at = env): Promise<Called> {
  const away = await call("GET", "/v1/auth/github/login", { env: at });
  expect(away.status).toBe(302);
  const asked = new URL(away.headers.get("location") ?? "");
  expect(asked.origin + asked.pathname).toBe(`${site}/login/oauth/authorize`);
  expect(asked.searchParams.get("code_challenge_method")).toBe("S256");
  const back = new URL("http://x/v1/auth/github/callback?code=abc");
  back.searchParams.set("state", asked.searchParams.get("state") ?? "");
  change(back);
  const cookie = (away.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  return call("GET", back.pathname + back.search, { env: at, headers: { cookie } });
}

const someone = (change: object = {}) => ({
  email: `${crypto.randomUUID()}@example.com`,
  primary: true,
  verified: true,
  ...change,
});

afterEach(() => vi.restoreAllMocks());

describe("GitHub", () => {
  it("signs a person in by the number of the account and the verified primary address", async () => {
    const asked: Request[] = [];
    const id = Math.floor(Math.random() * 1e12);
    const address = someone();
    answerAs({ id, emails: [someone({ primary: false }), address] }, asked);
    const first = await comeBack();
    expect(first).toMatchObject({ status: 200, body: { user: { email: address.email, email_verified: true } } });
    expect(first.headers.get("cache-control")).toBe("no-store");
    expect(
      new URLSearchParams(Buffer.from((await asked[0]?.arrayBuffer()) ?? new ArrayBuffer(0)).toString()).get(
        "code_verifier",
      ),
    ).toMatch(/^[\w-]{43}$/);
    // The address may change there; the number does not.
    answerAs({ id, emails: [someone()] });
    expect((await comeBack()).body.user).toMatchObject({ id: first.body.user.id, email: address.email });
  });

  it("makes an account whose password nothing opens, until a reset sets one", async () => {
    const address = someone();
    answerAs({ id: Math.floor(Math.random() * 1e12), emails: [address] });
    const { body } = await comeBack();
    const row = await bindings.DB.prepare("select password_phc from users where id = ?").bind(body.user.id).first();
    expect(row?.["password_phc"]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    for (const password of ["", "overtone no pass", String(row?.["password_phc"])])
      expect((await call("POST", "/v1/auth/login", { body: { email: address.email, password } })).status).toBe(401);
    const { items } = (await call("GET", "/v1/auth/identities", { as: body.access_token })).body;
    expect(items).toMatchObject([{ provider: "github", email: address.email }]);
    const last = await call("DELETE", `/v1/auth/identities/${items[0].id}`, { as: body.access_token });
    expect(last).toMatchObject({ status: 409, body: { code: "last-sign-in-method" } });
    const other = await signUp();
    expect((await other.call("DELETE", `/v1/auth/identities/${items[0].id}`)).status).toBe(404);
  });

  it("refuses an unverified address, and one that has an account, and changes nothing", async () => {
    answerAs({ id: 1, emails: [someone({ verified: false })] });
    expect(await comeBack()).toMatchObject({ status: 403, body: { code: "provider-email-unverified" } });
    const owner = await signUp();
    answerAs({ id: 2, emails: [someone({ email: owner.email })] });
    expect(await comeBack()).toMatchObject({
      status: 409,
      body: { code: "link-required", link_ticket: expect.any(String) },
    });
    expect((await owner.call("GET", "/v1/auth/identities")).body.items).toEqual([]);
  });

  it("tells refusals and failures of the provider without its words", async () => {
    answerAs({ id: 3, emails: [someone()] });
    const refused = await comeBack((url) => {
      url.searchParams.delete("code");
      url.searchParams.set("error", "access_denied");
      url.searchParams.set("error_description", "their words");
    });
    expect(refused).toMatchObject({ status: 400, body: { code: "sign-in-refused" } });
    vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("their words", { status: 500 }));
    const failed = await comeBack();
    expect(failed).toMatchObject({ status: 503, body: { code: "sign-in-provider-failed" } });
    vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("their words"));
    expect((await comeBack()).body.code).toBe("sign-in-provider-failed");
    expect(JSON.stringify([refused.body, failed.body])).not.toContain("their words");
  });

  it("does not sign up where sign-up is closed, and lists what is configured", async () => {
    answerAs({ id: 4, emails: [someone()] });
    const closed = { ...env, SIGN_UP: "closed" };
    expect(await comeBack(undefined, closed)).toMatchObject({ status: 403, body: { code: "sign-up-closed" } });
    expect((await call("GET", "/v1/auth/providers", { env })).body).toMatchObject({
      providers: ["github"],
      details: [{ name: "github", displayName: "GitHub" }],
    });
    expect((await call("GET", "/v1/auth/providers")).body.providers).toEqual([]);
    expect((await call("GET", "/v1/auth/github/login")).status).toBe(404);
  });
});

describe("older paths", () => {
  it("lead to the same operations", async () => {
    expect((await call("GET", "/auth/providers", { env })).body.providers).toEqual(["github"]);
    const begun = await call("POST", "/auth/oauth/initiate", { env, body: { provider: "github" } });
    expect(begun).toMatchObject({ status: 200, body: { auth_url: expect.stringContaining("/v1/auth/github/login?") } });
    const away = await call("GET", `/auth/github/login?state=${begun.body.state}`, { env });
    expect(away.headers.get("location")).toContain(site);
    expect((await call("GET", "/auth/github/callback?state=x", { env })).body.code).toBe("sign-in-state-invalid");
  });

  it("ignore what their clients send beside it, but for what the server owns", async () => {
    for (const path of ["/auth/oauth/initiate", "/v1/auth/oauth/initiate"]) {
      const sent = (more: object) => call("POST", path, { env, body: { provider: "github", ...more } });
      expect((await sent({ client: "editor", state: "theirs" })).status).toBe(200);
      expect(await sent({ role: "admin" })).toMatchObject({ status: 422, body: { code: "server-owned-member" } });
    }
    const exchange = { code: "x".repeat(43), code_verifier: "y".repeat(43), client_secret: "theirs", scope: "openid" };
    expect(await call("POST", "/auth/token", { env, body: exchange })).toMatchObject({
      status: 400,
      body: { code: "return-code-invalid" },
    });
  });
});
