/** The guard's two rules on text: which addresses a tenant may name, and which addresses are public. */
import { describe, expect, it } from "vitest";
import { isInRanges, isPublicAddress, readRange } from "#lib/network-address";
import { checkTenantUrl } from "#lib/tenant-url";

const rules = { allow: [], publicUrl: "https://overtone.account.workers.dev" };

describe("an address of a tenant", () => {
  it.each([
    ["https://hooks.example.com/", null],
    ["https://hooks.example.com:443/x?y=z", null],
    ["https://b\u00fccher.example.com/", null],
    ["https://overtone.account.workers.dev/", "own-host"],
    ["https://sibling.account.workers.dev/", "own-host"],
    ["https://other-account.workers.dev/", null],
    ["https://1.1.1.1/", "literal-address"],
    ["https://[2606:4700:4700::1111]/", "literal-address"],
    ["https://a..com/", "local-name"],
    [`https://example.com/${"x".repeat(2_048)}`, "not-a-url"],
  ])("%s: %s", (url, reason) => {
    const check = checkTenantUrl(url, rules);
    expect(check.ok ? null : check.reason).toBe(reason);
  });

  it("is let through by the list of a development deployment, but not with credentials", () => {
    const allow = ["127.0.0.1:9000", "hooks.local"];
    for (const url of ["http://127.0.0.1:9000/x", "https://hooks.local:1/x"])
      expect(checkTenantUrl(url, { ...rules, allow })).toMatchObject({ ok: true, isAllowListed: true });
    for (const url of ["http://127.0.0.1:9001/", "http://a@127.0.0.1:9000/", "ftp://hooks.local/"])
      expect(checkTenantUrl(url, { ...rules, allow }).ok).toBe(false);
  });
});

describe("a public address", () => {
  it.each(["1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001:829::200e"])(
    "is %s",
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    "",
    "example.com",
    "1.1.1",
    "01.1.1.1",
    "256.1.1.1",
    "10.1.1.1",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "2002:101:101::",
    "fe80::1%eth0",
    "1::2::3",
  ])("is not %j", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe("a range of addresses", () => {
  it.each([
    ["0.0.0.0/0", "203.0.113.9", true],
    ["::/0", "2001:db8::1", true],
    ["::/0", "203.0.113.9", false],
    ["203.0.113.8/31", "203.0.113.9", true],
    ["203.0.113.8/31", "203.0.113.10", false],
    ["2001:db8::/33", "2001:db8:7fff::1", true],
    ["2001:db8::/33", "2001:db8:8000::1", false],
    ["203.0.113.9", "::ffff:203.0.113.9", true],
    ["203.0.113.9", "nonsense", false],
  ])("%s holds %s: %s", (range, address, isIn) => {
    const read = readRange(range);
    expect(read !== null && isInRanges(address, [read])).toBe(isIn);
  });
});
