import { createSign, generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { rawEcdsaSignature } from "#lib/ecdsa-signature";

const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("a signature in DER", () => {
  it.each([
    [1, "P-256", 32],
    [2, "P-384", 48],
    [3, "P-521", 66],
  ])("says the same as r and s side by side, on COSE's curve %i", async (curve, namedCurve, sizeBytes) => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    const jwk = publicKey.export({ format: "jwk" }) as JsonWebKey;
    const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve }, false, ["verify"]);
    for (let round = 0; round < 50; round += 1) {
      const message = Buffer.from(`message ${round}`);
      const raw = rawEcdsaSignature(new Uint8Array(createSign("sha256").update(message).sign(privateKey)), curve);
      expect(raw.length).toBe(2 * sizeBytes);
      expect(await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, raw, message)).toBe(true);
    }
  });

  it("fills short numbers up and takes the sign's zero byte off", () => {
    const raw = rawEcdsaSignature(hex("3007 020101 02020080"), 1);
    expect(toHex(raw)).toBe(`${"00".repeat(31)}01${"00".repeat(31)}80`);
    expect(toHex(rawEcdsaSignature(hex("3006 020100 02017f"), 1))).toBe(`${"00".repeat(63)}7f`);
  });

  const large = "02 20 7f" + "11".repeat(31);
  it.each([
    ["nothing", ""],
    ["another kind of element", "3106 020101 020101"],
    ["numbers of another kind", "3006 040101 020101"],
    ["one number", "3003 020101"],
    ["three numbers", "3009 020101 020101 020101"],
    ["a byte behind it", "3006 020101 020101 00"],
    ["a byte behind the numbers", "3007 020101 020101 00"],
    ["a cut end", "3006 020101 0201"],
    ["a number that ends behind it", "3006 020101 020201"],
    ["a negative number", "3006 020180 020101"],
    ["an empty number", "3005 0200 020101"],
    ["a zero byte too many", "3007 02020001 020101"],
    ["a length without end", "3080 020101 020101 0000"],
    ["a long form for a short length", "308106 020101 020101"],
    ["a length of two bytes", "30820006 020101 020101"],
    ["a number that is too large", `3045 0221 01${"11".repeat(32)} ${large}`],
  ])("is refused with %s", (_, text) => {
    expect(() => rawEcdsaSignature(hex(text), 1)).toThrow(/the signature|of the signature/);
  });

  it("is refused on a curve that makes none", () => {
    for (const curve of [0, 4, 6, 8])
      expect(() => rawEcdsaSignature(hex("3006 020101 020101"), curve)).toThrow(/curve/);
  });
});
