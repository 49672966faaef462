/** How many calls to far-away places a request costs: each may be a round trip over an ocean. */
import { beforeAll, describe, expect, it } from "vitest";
import { countingBindings } from "#test/support/counting";
import { call, type Person, signUp } from "#test/support/harness";

const { env, counts, reset } = countingBindings();
let person: Person;
let key: string;
let keyId: string;

beforeAll(async () => {
  person = await signUp();
  const made = await person.call("POST", "/v1/api-keys", { body: { name: "reader" } });
  key = made.body.key;
  keyId = made.body.id;
});

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

describe("a forged API key", () => {
  it("costs no read of any storage", async () => {
    const forged = ["ovt_live_", "ovt_test_", `ovt_live_${"A".repeat(66)}`, `${key}A`, key.replace("live", "test")];
    for (let index = 9; index < key.length; index += 7) {
      const next = alphabet[(alphabet.indexOf(key[index] ?? "") + 1) % 62];
      forged.push(`${key.slice(0, index)}${next}${key.slice(index + 1)}`);
    }
    reset();
    for (const credential of forged) {
      const answer = await call("GET", "/v1/jobs", { as: credential, env });
      expect(answer).toMatchObject({ status: 401, body: { code: "credentials-invalid" } });
    }
    expect(forged.length).toBeGreaterThan(12);
    expect(counts).toEqual({ database: 0, objects: 0, files: 0 });
  });
});

describe("a warm request", () => {
  it.each([
    ["a session", () => person.token],
    ["an API key", () => key],
  ])("by %s costs only the read that it came for", async (_, credential) => {
    for (let warmUp = 0; warmUp < 3; warmUp += 1) await call("GET", "/v1/jobs", { as: credential(), env });
    // Writes the uses that were counted so far: that many of them are written at once must not happen while we count.
    await person.call("GET", `/v1/api-keys/${keyId}/usage`);
    reset();
    const rounds = 5;
    for (let round = 0; round < rounds; round += 1)
      expect((await call("GET", "/v1/jobs", { as: credential(), env })).status).toBe(200);
    expect(counts.database).toBe(rounds);
    // The limiter leases a block now and then; most requests ask nobody.
    expect(counts.objects).toBeLessThan(rounds);
  });

  it("that manages keys asks the session and the role anew", async () => {
    await call("GET", "/v1/api-keys", { as: person.token, env });
    reset();
    await call("GET", "/v1/api-keys", { as: person.token, env });
    expect(counts.objects).toBeGreaterThanOrEqual(1);
    expect(counts.database).toBe(2);
  });

  it("of /health reads the database once", async () => {
    reset();
    await call("GET", "/health", { env });
    expect(counts).toEqual({ database: 1, objects: 0, files: 0 });
  });
});
