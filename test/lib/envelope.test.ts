import { hkdfSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveKey, EnvelopeError, importKek, unwrap, wrap } from "#lib/envelope";

const random = (lengthBytes: number) => crypto.getRandomValues(new Uint8Array(lengthBytes));
const kek = await importKek(new Uint8Array(32).map((_, index) => index));
const reasonOf = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  return error instanceof EnvelopeError ? error.reason : error;
};

describe("envelope", () => {
  it("matches the published AES-256-GCM vector (McGrew and Viega, test case 14)", async () => {
    const zeroKey = await importKek(new Uint8Array(32));
    const wrapped = await wrap(zeroKey, new Uint8Array(16), {
      aadText: "",
      random: (length) => new Uint8Array(length),
    });
    const expected = `01${"00".repeat(12)}cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919`;
    expect(Uint8Array.fromBase64(wrapped).toHex()).toBe(expected);
  });

  it("gives back any small secret under the same text", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: "grapheme" }), async (secret, aadText) => {
        const wrapped = await wrap(kek, secret, { aadText, random });
        expect(await unwrap(kek, wrapped, aadText)).toEqual(secret);
      }),
      { numRuns: 50 },
    );
  });

  it("refuses another text, another key and every altered bit", async () => {
    const wrapped = await wrap(kek, new Uint8Array(32), { aadText: "workspace|key|1|seal", random });
    const other = await importKek(random(32));
    expect(await reasonOf(unwrap(kek, wrapped, "workspace|key|2|seal"))).toBe("not-authentic");
    expect(await reasonOf(unwrap(other, wrapped, "workspace|key|1|seal"))).toBe("not-authentic");
    const bytes = Uint8Array.fromBase64(wrapped);
    for (let bit = 8; bit < bytes.length * 8; bit += 7) {
      const altered = bytes.slice();
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await reasonOf(unwrap(kek, altered.toBase64(), "workspace|key|1|seal"))).toBe("not-authentic");
    }
  });

  it("uses a fresh nonce each time", async () => {
    const options = { aadText: "a", random };
    expect(await wrap(kek, new Uint8Array(32), options)).not.toBe(await wrap(kek, new Uint8Array(32), options));
  });

  it("tells other versions and junk from forgeries", async () => {
    const bytes = Uint8Array.fromBase64(await wrap(kek, new Uint8Array(32), { aadText: "a", random }));
    bytes[0] = 2;
    expect(await reasonOf(unwrap(kek, bytes.toBase64(), "a"))).toBe("version-unknown");
    for (const junk of [
      "",
      "%%%",
      "AQ==",
      bytes.slice(0, 28).toBase64(),
      "A".repeat(100_000),
      ` ${bytes.toBase64()}!`,
    ]) {
      expect(await reasonOf(unwrap(kek, junk, "a"))).toBe("malformed");
    }
  });

  it("says nothing of the secret in its errors", async () => {
    const secret = new TextEncoder().encode("correct horse battery staple");
    const wrapped = await wrap(kek, secret, { aadText: "a", random });
    const error = await unwrap(kek, wrapped, "b").catch((caught: unknown) => caught);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/horse|staple|AQ/);
  });

  it("refuses wrong key sizes, wrong nonces and more than 64 KiB", async () => {
    await expect(importKek(new Uint8Array(16))).rejects.toThrow(RangeError);
    const short = { aadText: "", random: () => new Uint8Array(8) };
    await expect(wrap(kek, new Uint8Array(1), short)).rejects.toThrow(RangeError);
    await expect(wrap(kek, new Uint8Array(65_537), { aadText: "", random })).rejects.toThrow(RangeError);
    const largest = await wrap(kek, new Uint8Array(65_536), { aadText: "", random });
    expect((await unwrap(kek, largest, "")).length).toBe(65_536);
  });

  it("never gives the key-encryption key out of the runtime", async () => {
    await expect(crypto.subtle.exportKey("raw", kek)).rejects.toThrow("extractable");
  });
});

describe("deriveKey", () => {
  it("matches RFC 5869, test case 3", () => {
    const okm = deriveKey(new Uint8Array(22).fill(0x0b), "");
    expect(okm.toHex()).toBe("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
  });

  it("agrees with WebCrypto and differs by purpose", async () => {
    const master = random(32);
    const info = new TextEncoder().encode("overtone data keys");
    const source = await crypto.subtle.importKey("raw", master, "HKDF", false, ["deriveBits"]);
    const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
    const bits = await crypto.subtle.deriveBits(parameters, source, 256);
    expect(deriveKey(master, "overtone data keys")).toEqual(new Uint8Array(bits));
    expect(deriveKey(master, "a")).not.toEqual(deriveKey(master, "b"));
    expect(deriveKey(master, "a")).toEqual(new Uint8Array(hkdfSync("sha256", master, new Uint8Array(0), "a", 32)));
    expect(() => deriveKey(new Uint8Array(15), "a")).toThrow(RangeError);
  });
});
