import { describe, expect, it } from "vitest";
import { bindings, call } from "#test/support/harness";

describe("documents", () => {
  it("serve the OpenAPI document and the reference, with nothing from other hosts", async () => {
    const document = await call("GET", "/openapi.json");
    expect(document.status).toBe(200);
    expect(document.body.openapi).toBe("3.1.0");
    const page = await call("GET", "/reference");
    const html = new TextDecoder().decode(page.bytes);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    expect(html.match(/(?:src|href)="([^"]+)"/g)).toEqual([
      'href="data:,"',
      'src="/reference/scalar.js"',
      'src="/reference/init.js"',
    ]);
    expect((await call("GET", "/reference/init.js")).headers.get("content-type")).toContain("javascript");
    expect((await call("GET", "/reference/scalar.js")).bytes.byteLength).toBeGreaterThan(100_000);
  });

  it("say who is here at the root", async () => {
    expect((await call("GET", "/")).body).toMatchObject({ name: "Overtone" });
  });

  it("publish the keys of access tokens without their private part", async () => {
    const { body } = await call("GET", "/.well-known/jwks.json");
    expect(body.keys[0]).toMatchObject({ kty: "EC", crv: "P-256", alg: "ES256" });
    expect(body.keys[0]).not.toHaveProperty("d");
  });
});

const listed = {
  ...bindings,
  ALLOWED_ORIGINS: "https://app.example.com, https://other.example.com",
} as typeof bindings;

describe("other origins", () => {
  it("are answered only from the exact list", async () => {
    const allowed = await call("GET", "/", { headers: { origin: "https://app.example.com" }, env: listed });
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
    const sibling = await call("GET", "/", {
      headers: { origin: "https://app.example.com.evil.example" },
      env: listed,
    });
    expect(sibling.headers.get("access-control-allow-origin")).toBeNull();
    const preflight = await call("OPTIONS", "/v1/uploads", {
      headers: { origin: "https://app.example.com", "access-control-request-method": "POST" },
      env: listed,
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
  });

  it("may use the official SDK of OpenAI in a page, and read what an answer cost", async () => {
    const origin = "https://app.example.com";
    const asked = "authorization,content-type,x-stainless-arch,x-stainless-retry-count,x-evil";
    const headers = { origin, "access-control-request-method": "POST", "access-control-request-headers": asked };
    const preflight = await call("OPTIONS", "/v1/chat/completions", { headers, env: listed });
    const allowed = preflight.headers.get("access-control-allow-headers")?.split(", ") ?? [];
    expect(allowed).toEqual(expect.arrayContaining(["authorization", "x-stainless-arch", "x-stainless-retry-count"]));
    expect(allowed).not.toContain("x-evil");
    const answer = await call("GET", "/v1/models", { headers: { origin }, env: listed });
    expect(answer.headers.get("access-control-expose-headers")).toContain("x-overtone-cost-micro-usd");
  });
});
