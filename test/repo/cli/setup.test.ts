/** The secrets of a fresh clone: made once, in the right form, and never touched again. */
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { readDevVars } from "../../../src/cli/dev-vars.ts";
import { setUp } from "../../../src/cli/setup.ts";

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "overtone-setup-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, ".dev.vars");
}

describe("the local secrets", () => {
  it("are a master key of 32 bytes and a P-256 signing key", async () => {
    const file = newFile();
    expect(await setUp(file)).toEqual(["MASTER_KEYS", "JWT_PRIVATE_JWKS"]);
    const { MASTER_KEYS = "", JWT_PRIVATE_JWKS = "" } = await readDevVars(file);
    expect(MASTER_KEYS).toMatch(/^1:[A-Za-z0-9+/]{43}=$/);
    const { keys } = JSON.parse(JWT_PRIVATE_JWKS) as { keys: { kid: string }[] };
    expect(keys).toEqual([
      expect.objectContaining({
        kty: "EC",
        crv: "P-256",
        alg: "ES256",
        use: "sig",
        kid: expect.stringMatching(/^[\w-]{36}$/) as string,
      }),
    ]);
    const [jwk = {}] = keys;
    expect(createPrivateKey({ key: jwk, format: "jwk" }).asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  });

  it("stay as they are when they are there", async () => {
    const file = newFile();
    await setUp(file);
    const before = readFileSync(file, "utf8");
    expect(await setUp(file)).toEqual([]);
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  it("are added one by one to what is there", async () => {
    const file = newFile();
    writeFileSync(file, "# mine\nMASTER_KEYS=4:kept\nSIGN_UP=closed\n");
    expect(await setUp(file)).toEqual(["JWT_PRIVATE_JWKS"]);
    expect(readFileSync(file, "utf8")).toMatch(/^# mine\nMASTER_KEYS=4:kept\nSIGN_UP=closed\nJWT_PRIVATE_JWKS=/);
  });
});
