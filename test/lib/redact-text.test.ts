/** What is taken out of texts before they are kept, what stays, and that no text makes it slow. */
import { describe, expect, it } from "vitest";
import { redactedStart, redactText } from "#lib/redact-text";

/** Made here, so that nothing in this file looks like a key. */
const noise = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4";
const named = (beginning: string) => `${beginning}${noise}`;

describe("what is taken out", () => {
  it.each([
    ["Write to ada.lovelace+x@mail.example.co.uk, please", "Write to [email], please"],
    ["<björn@exämple.com>", "<[email]>"],
    [`OPENAI=${named("sk-")}.`, "OPENAI=[key]."],
    [`${named("sk-ant-")} ${named("sk_live_")} ${named("rk_test_")}`, "[key] [key] [key]"],
    [`${named("ovt_live_")},${named("ovs_")},${named("pe-")}`, "[key],[key],[key]"],
    [`${named("ghp_")}\n${named("github_pat_")}\n${named("xoxb-")}`, "[key]\n[key]\n[key]"],
    [`id AKI${"A"}${"Q7".repeat(8)} there`, "id [key] there"],
    [`${named("eyJ")}.${noise}.${noise}`, "[token]"],
    [`authorization: Bearer ${noise}`, "authorization: Bearer [token]"],
    [`postgres://root:${noise}@db.internal/x`, "postgres://[secret]@db.internal/x"],
    [`{"password": "${noise}", "n": 1}`, '{"password": "[secret]", "n": 1}'],
    [`-----BEGIN RSA PRIVATE KEY-----\n${noise}\n${noise}\n-----END RSA PRIVATE KEY----- end`, "[key] end"],
    [`-----BEGIN PRIVATE KEY-----\n${noise}`, "[key]"],
    ["pay 4111 1111 1111 1111 now", "pay [card] now"],
    ["4111111111111111", "[card]"],
    ["room 12 5500-0000-0000-0004 ok", "room 12 [card] ok"],
    ["3782 822463 10005 and 6011 1111 1111 1117", "[card] and [card]"],
    ["IBAN DE89 3704 0044 0532 0130 00.", "IBAN [iban]."],
    ["GB82WEST12345698765432", "[iban]"],
    ["call +49 (0)30 901820-0 today", "call [phone] today"],
    ["SSN 078-05-1120", "SSN [ssn]"],
  ])("of %j", (text, kept) => {
    expect(redactText(text)).toBe(kept);
  });
});

describe("what stays", () => {
  it.each([
    "4111 1111 1111 1112 has the wrong check digit",
    "1700000000000 is a time, 1234567890123456 no card",
    "interface Login { password: string; token: Promise<string> }",
    "sk-learn, pe-riodic and key-value are words",
    "DE00 3704 0044 0532 0130 00 is no account",
    "3.14159265358979323846 and 2026-11-21T20:15:00Z",
    "@here look at foo@bar, a@b and #5",
    "The order 07-05-1120 of 10 + 12345678901",
    "",
  ])("is all of %j", (text) => {
    expect(redactText(text)).toBe(text);
  });

  it("is a text that was redacted before", () => {
    const once = redactText(`${named("sk-")} a@b.example 4111111111111111 +49 30 9018200 Bearer ${noise}`);
    expect(redactText(once)).toBe(once);
  });
});

describe("a text that is made to be slow", () => {
  const long = 200_000;
  it.each([
    ["one word", "a".repeat(long)],
    ["dots", `${"a.".repeat(long / 2)}@`],
    ["signs of addresses", "a@".repeat(long / 2)],
    ["domains without an end", `x@${"a.".repeat(long / 2)}`],
    ["digits", "4".repeat(long)],
    ["digits in groups", "4 ".repeat(long / 2)],
    ["digits with dashes", "41-".repeat(long / 3)],
    ["beginnings of keys", "sk-".repeat(long / 3)],
    ["beginnings of private keys", "-----BEGIN PRIVATE KEY".repeat(long / 22)],
    ["private keys without an end", "-----BEGIN PRIVATE KEY-----".repeat(long / 27)],
    ["tokens", "eyJ".repeat(long / 3)],
    ["places of a password", "password=".repeat(long / 9)],
    ["addresses with a password", "://a:".repeat(long / 5)],
    ["an account without an end", "DE89 3704 ".repeat(long / 10)],
    ["blanks after a word", `Bearer${" ".repeat(long)}`],
    ["pluses", "+1".repeat(long / 2)],
  ])("(%s) is read all the same", (_, text) => {
    expect(redactText(text).length).toBeGreaterThan(0);
  });
});

describe("the start of a text", () => {
  it("is cut to its length, and nothing on the edge is left half", () => {
    const before = "x".repeat(90);
    for (const secret of ["someone.with.a.long.name@example.com", "4111 1111 1111 1111", named("sk-ant-")]) {
      for (let shift = 0; shift < 60; shift += 1) {
        const { text, isCut } = redactedStart(`${before.slice(shift)} ${secret} ${"y ".repeat(600)}`, 100);
        expect(isCut).toBe(true);
        expect(text.length).toBeLessThanOrEqual(100);
        for (const part of ["someone", "4111", named("sk-ant-").slice(0, 10)]) expect(text).not.toContain(part);
      }
    }
  });

  it("of a short one is all of it, and of a character of two halves never one half", () => {
    expect(redactedStart("all of it", 100)).toEqual({ text: "all of it", isCut: false });
    expect(redactedStart("😀".repeat(400), 101).text.isWellFormed()).toBe(true);
    expect(redactedStart(`${"z".repeat(99)}😀`, 100)).toEqual({ text: `${"z".repeat(99)}\ufffd`, isCut: true });
  });
});
