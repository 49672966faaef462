/** Password hashes: known vectors, what is refused, and that the queue is bounded. */
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { hashPassword, verifyAgainstNothing, verifyPassword } from "#durable/hasher/client";
import { maxWaiting } from "#durable/hasher/object";
import { isTooCostly, parsePhc } from "#durable/hasher/phc";
import { objects, times } from "./objects.ts";

const hashers = objects.HASHER;
const password = "correct horse battery staple";
const notAscii = "пароль-密码-🔑";
const salt = "MDEyMzQ1Njc4OWFiY2RlZg";

/** Made with the argon2 and scrypt of node:crypto (Node 24, OpenSSL). */
const vectors = {
  current: `$argon2id$v=19$m=19456,t=2,p=1$${salt}$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0`,
  notAscii: `$argon2id$v=19$m=19456,t=2,p=1$${salt}$lyLfYmaPTMdHE47ExR19CIGWIYXP3RgEo+qtnetl6QA`,
  fourLanes: `$argon2id$v=19$m=4096,t=3,p=4$${salt}$b3h4/ZcQ/XS3KxT8r+YGegJbLr1e+ZuTxRuBYiDrvfo`,
  scrypt: `$scrypt$ln=14,r=8,p=5$${salt}$yMHgG/FDESRF0j5gjhGLotSMPdnfefUcNNFPyNoQtJE`,
};

describe("verifying", () => {
  it.each([
    ["the current profile", { password, phc: vectors.current }, false],
    ["a password outside ASCII", { password: notAscii, phc: vectors.notAscii }, false],
    ["argon2id with other parameters", { password, phc: vectors.fourLanes }, true],
    ["scrypt", { password, phc: vectors.scrypt }, true],
  ])("matches %s and no other password", async (_name, attempt, needsUpgrade) => {
    expect(await verifyPassword(hashers, attempt)).toEqual({
      ok: true,
      matches: true,
      needsUpgrade,
    });
    const wrong = { ...attempt, password: `${attempt.password}x` };
    expect(await verifyPassword(hashers, wrong)).toEqual({
      ok: true,
      matches: false,
      needsUpgrade,
    });
  });

  it("hashes every byte of a password outside ASCII", async () => {
    const sameHalf = `${notAscii.slice(0, -2)}🗝`;
    expect(await verifyPassword(hashers, { password: sameHalf, phc: vectors.notAscii })).toMatchObject({
      matches: false,
    });
  });

  it("treats an unknown user's password like any other and never matches", async () => {
    expect(await verifyAgainstNothing(hashers, password)).toEqual({
      ok: true,
      matches: false,
      needsUpgrade: false,
    });
  });

  it.each([
    ["64 MiB", `$argon2id$v=19$m=65536,t=3,p=1$${salt}$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0`],
    ["32 MiB in one pass", `$argon2id$v=19$m=32768,t=1,p=1$${salt}$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0`],
    ["many passes", `$argon2id$v=19$m=19456,t=9,p=1$${salt}$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0`],
    ["scrypt of 128 MiB", `$scrypt$ln=17,r=8,p=1$${salt}$yMHgG/FDESRF0j5gjhGLotSMPdnfefUcNNFPyNoQtJE`],
  ])("refuses a hash of %s without computing it", async (_name, phc) => {
    expect(await verifyPassword(hashers, { password, phc })).toEqual({
      ok: false,
      reason: "too-costly",
    });
  });

  it.each([
    "",
    "plain text",
    "$2x$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
    `$argon2i$v=19$m=19456,t=2,p=1$${salt}$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0`,
    `$pbkdf2-sha256$i=1000$${salt}$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0`,
    `$argon2id$v=19$m=19456,t=2,p=1$${salt}$A`,
    `$argon2id$v=19$m=8,t=2,p=1$${salt}$gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0`,
    `${vectors.current}${"A".repeat(600)}`,
  ])("does not know %j", async (phc) => {
    expect(await verifyPassword(hashers, { password, phc })).toEqual({
      ok: false,
      reason: "unsupported",
    });
  });
});

describe("hashing", () => {
  it("makes a current PHC string with its own salt each time", async () => {
    const outcomes = await Promise.all([hashPassword(hashers, password), hashPassword(hashers, password)]);
    const phcs = outcomes.map((outcome) => (outcome.ok ? outcome.phc : outcome.reason));
    expect(phcs[0]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(phcs[0]).not.toBe(phcs[1]);
    for (const phc of phcs) {
      expect(await verifyPassword(hashers, { password, phc })).toEqual({
        ok: true,
        matches: true,
        needsUpgrade: false,
      });
    }
  });

  it("refuses a password of more than 1024 bytes", async () => {
    expect(await hashPassword(hashers, "é".repeat(513))).toEqual({ ok: false, reason: "too-long" });
    expect(await hashPassword(hashers, "é".repeat(512))).toMatchObject({ ok: true });
  });

  it("spreads over the configured hashers only", async () => {
    const names: string[] = [];
    const spy = new Proxy(hashers, {
      get: (target, property) =>
        property === "getByName"
          ? (name: string) => (names.push(name), target.getByName(name))
          : Reflect.get(target, property),
    });
    for (const random of [0, 0.49, 0.5, 0.999]) await hashPassword(spy, password, { hashers: 2, random });
    expect(names).toEqual(["hasher-0", "hasher-0", "hasher-1", "hasher-1"]);
  });
});

describe("the queue", () => {
  it(`refuses whoever comes when ${maxWaiting} wait, and serves those who do`, async () => {
    const stub = hashers.getByName("hasher-crowded");
    const outcomes = await runInDurableObject(stub, (hasher) =>
      Promise.all(times(maxWaiting + 10, () => hasher.hash(password))),
    );
    const served = outcomes.filter((outcome) => outcome.ok);
    const refused = outcomes.filter((outcome) => !outcome.ok);
    expect(served).toHaveLength(maxWaiting);
    expect(refused).toEqual(times(10, () => ({ ok: false, reason: "busy", waiting: maxWaiting })));
    expect(await stub.hash(password)).toMatchObject({ ok: true });
  });

  it("serves calls of different requests in one queue", async () => {
    const outcomes = await Promise.all(times(12, () => hashPassword(hashers, password)));
    expect(new Set(outcomes.map((outcome) => (outcome.ok ? outcome.phc : outcome.reason))).size).toBe(12);
  });

  it("lets another request of the object answer between two hashes", async () => {
    const order: string[] = [];
    await runInDurableObject(hashers.getByName("hasher-turns"), async (hasher) => {
      const hashes = [1, 2, 3].map(async (number) => {
        await hasher.hash(password);
        order.push(`hash ${number}`);
      });
      await scheduler.wait(0);
      const other = scheduler.wait(0).then(() => order.push("other"));
      await Promise.all([...hashes, other]);
    });
    expect(order.filter((entry) => entry !== "other")).toEqual(["hash 1", "hash 2", "hash 3"]);
    expect(order.indexOf("other")).toBeLessThan(3);
  });
});

describe("PHC strings", () => {
  it("reads both algorithms and bounds their cost", () => {
    expect(parsePhc(vectors.current)).toMatchObject({
      algorithm: "argon2id",
      memoryKib: 19_456,
      passes: 2,
      lanes: 1,
    });
    expect(parsePhc(vectors.scrypt)).toMatchObject({
      algorithm: "scrypt",
      cost: 16_384,
      blockSize: 8,
      parallelism: 5,
    });
    for (const phc of Object.values(vectors)) {
      const parsed = parsePhc(phc);
      expect(parsed && isTooCostly(parsed)).toBe(false);
    }
  });
});
