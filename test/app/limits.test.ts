/** Limits of open operations: whom they count. */
import { describe, expect, it } from "vitest";
import { bindings, call } from "#test/support/harness";

describe("the limit on registrations", () => {
  it("counts a whole IPv6 network as one caller, and another network as another", async () => {
    // Closed, so that nothing is made and nothing hashed: the limit comes first.
    const env = { ...bindings, SIGN_UP: "closed" } as typeof bindings;
    const body = { email: "ada@example.com", password: "a long enough secret" };
    const from = (address: string) =>
      call("POST", "/v1/auth/register", { env, body, headers: { "cf-connecting-ip": address } });
    for (let host = 1; host <= 60; host += 1)
      expect((await from(`2001:db8:ffff:1::${host.toString(16)}`)).status).toBe(403);
    expect(await from("2001:db8:ffff:1:aaaa:bbbb:cccc:dddd")).toMatchObject({
      status: 429,
      body: { code: "rate-limited", limit: "register" },
    });
    expect((await from("2001:db8:ffff:2::1")).status).toBe(403);
  });
});

describe("the limit on sign-ins", () => {
  it("counts tries for whatever address of a person, from one network", async () => {
    const email = `${crypto.randomUUID()}@example.com`;
    const from = (address: string) =>
      call("POST", "/v1/auth/login", {
        body: { email, password: "a guess" },
        headers: { "cf-connecting-ip": address },
      });
    const statuses: number[] = [];
    // Locked after five, so that the others cost no hash.
    for (let tries = 0; tries < 100; tries += 1) statuses.push((await from("192.0.2.77")).status);
    expect(statuses.filter((status) => status === 429)).toEqual([]);
    expect(await from("192.0.2.77")).toMatchObject({ status: 429, body: { code: "rate-limited", limit: "sign-in" } });
    expect((await from("192.0.2.78")).status).toBe(423);
  });

  it("refuses a flood from one network without a place, so that others still sign in", async () => {
    const from = (address: string, email: string) =>
      call("POST", "/v1/auth/login", {
        body: { email, password: "a guess" },
        headers: { "cf-connecting-ip": address },
      });
    const email = `${crypto.randomUUID()}@example.com`;
    for (let tries = 0; tries < 101; tries += 1) await from("192.0.2.87", email);
    const flood = Promise.all(Array.from({ length: 150 }, () => from("192.0.2.87", email)));
    const other = await from("192.0.2.88", `${crypto.randomUUID()}@example.com`);
    expect(other).toMatchObject({ status: 401, body: { code: "sign-in-failed" } });
    expect(new Set((await flood).map((answer) => answer.status))).toEqual(new Set([429]));
  });
});
