/** What wraps are bound to is a stored format: another text would lose every key that is stored. */
import { describe, expect, it } from "vitest";
import { dataKeyText, encryptionKeyText, fingerprintOf, isOwnName, mayManage, maySee } from "#features/secrets/rules";

const key = { workspaceId: "wks_a", id: "ekey_b", version: 3 };

describe("the text that a wrap is bound to", () => {
  it("names workspace, key, version and purpose", () => {
    expect(encryptionKeyText({ ...key, keyType: "user" })).toBe("wks_a|ekey_b|3|user-key");
    expect(encryptionKeyText({ ...key, keyType: "master" })).toBe("wks_a|ekey_b|3|master-key");
    expect(encryptionKeyText({ ...key, keyType: "session" })).toBe("wks_a|ekey_b|3|session-key");
    expect(dataKeyText({ ...key, id: "b0".repeat(16) })).toBe(`wks_a|${"b0".repeat(16)}|3|data-key`);
  });
});

describe("fingerprints", () => {
  it("differ by key and by workspace", () => {
    const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    const all = [fingerprintOf("wks_a", one), fingerprintOf("wks_a", two), fingerprintOf("wks_b", one)];
    expect(new Set(all).size).toBe(3);
    expect(fingerprintOf("wks_a", one)).toBe(all[0]);
    for (const fingerprint of all) expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("a person's own names", () => {
  const person = { userId: "usr_1", email: "Alice@example.com", username: "Alice" };

  it.each([
    ["usr_1", true],
    ["alice@EXAMPLE.com", true],
    ["Alice", true],
    ["alice", false],
    ["usr_2", false],
  ])("%s: %s", (name, own) => {
    expect(isOwnName(name, person)).toBe(own);
  });

  it("do not match by a missing user name", () => {
    expect(isOwnName("null", { ...person, username: null })).toBe(false);
  });
});

describe("who may", () => {
  const asker = (userId: string, isAdmin: boolean) => ({ userId, isAdmin });

  it.each([
    ["user", "a", asker("a", false), true, true],
    ["user", "a", asker("b", false), false, false],
    ["user", "a", asker("b", true), true, true],
    ["master", "a", asker("b", false), true, false],
    ["master", "a", asker("b", true), true, true],
    ["session", "a", asker("a", false), true, true],
    ["session", "a", asker("b", true), false, false],
  ] as const)("see and change a %s key of %s: %o", (keyType, userId, who, sees, manages) => {
    expect([maySee({ keyType, userId }, who), mayManage({ keyType, userId }, who)]).toEqual([sees, manages]);
  });
});
