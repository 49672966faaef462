import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseRange, contentRange, ifRangeMatches, parseRange } from "#lib/http-range";

const whole = { kind: "whole" };
const unsatisfiable = { kind: "unsatisfiable" };
const part = (offset: number, lengthBytes: number) => ({ kind: "part", offset, lengthBytes });

describe("parseRange", () => {
  // RFC 9110 section 14.1.2, examples for a representation of 10,000 bytes.
  it.each([
    ["bytes=0-499", part(0, 500)],
    ["bytes=500-999", part(500, 500)],
    ["bytes=-500", part(9_500, 500)],
    ["bytes=9500-", part(9_500, 500)],
    ["bytes=0-0", part(0, 1)],
    ["bytes=9999-", part(9_999, 1)],
    ["bytes=0-", part(0, 10_000)],
    ["bytes=0-999999999999999999999999", part(0, 10_000)],
    ["bytes=-10001", part(0, 10_000)],
    ["BYTES=1-2", part(1, 2)],
    ["bytes= 1-2 ,, ", part(1, 2)],
    ["bytes=10000-", unsatisfiable],
    ["bytes=999999999999999999999999-", unsatisfiable],
    ["bytes=-0", unsatisfiable],
    ["bytes=0-0,-1", whole],
    ["bytes=0-1,0-1,0-1", whole],
    ["bytes=5-4", whole],
    ["bytes=-", whole],
    ["bytes=", whole],
    ["bytes=a-b", whole],
    ["bytes=1", whole],
    ["bytes=+1-2", whole],
    ["bytes=0x1-2", whole],
    ["bytes=1-2-3", whole],
    ["bytes=1 - 2", whole],
    ["bytes=١-٢", whole],
    ["items=0-1", whole],
    ["0-1", whole],
    ["", whole],
    [`bytes=0-${"1".repeat(300)}`, whole],
    [null, whole],
  ])("%s", (header, outcome) => {
    expect(parseRange(header, 10_000)).toEqual(outcome);
  });

  it("knows the empty file", () => {
    expect(parseRange("bytes=0-", 0)).toEqual(unsatisfiable);
    expect(parseRange("bytes=-1", 0)).toEqual(whole);
    expect(parseRange(null, 0)).toEqual(whole);
  });

  it("selects exactly the bytes that a slice would", () => {
    const size = fc.integer({ min: 1, max: 50 });
    fc.assert(
      fc.property(size, fc.nat(60), fc.nat(60), (sizeBytes, first, last) => {
        const outcome = parseRange(`bytes=${first}-${last}`, sizeBytes);
        const bytes = Array.from({ length: sizeBytes }, (_, index) => index);
        expect(outcome.kind).toBe(last < first ? "whole" : first >= sizeBytes ? "unsatisfiable" : "part");
        if (outcome.kind !== "part") return;
        const { offset, lengthBytes } = outcome;
        expect(bytes.slice(offset, offset + lengthBytes)).toEqual(bytes.slice(first, last + 1));
        expect(contentRange(outcome, sizeBytes)).toBe(`bytes ${first}-${Math.min(last, sizeBytes - 1)}/${sizeBytes}`);
      }),
    );
  });

  it("never throws and never leaves the file", () => {
    const near = fc.stringMatching(/^[bytes=0-9,\- ]{0,30}$/).map((text) => `bytes=${text}`);
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), fc.nat(1_000), (header, sizeBytes) => {
        const outcome = parseRange(header, sizeBytes);
        if (outcome.kind !== "part") return;
        expect(outcome.lengthBytes).toBeGreaterThan(0);
        expect(outcome.offset + outcome.lengthBytes).toBeLessThanOrEqual(sizeBytes);
      }),
    );
  });
});

describe("If-Range", () => {
  const subject = { sizeBytes: 100, etag: '"abc"', lastModifiedMs: Date.UTC(2026, 10, 20, 12, 0, 0, 250) };

  it.each([
    [null, true],
    ['"abc"', true],
    [' "abc" ', true],
    ['"abd"', false],
    ['W/"abc"', false],
    ["abc", false],
    ["Fri, 20 Nov 2026 12:00:00 GMT", true],
    ["Fri, 20 Nov 2026 11:59:59 GMT", false],
    ["Fri, 20 Nov 2026 12:00:01 GMT", false],
    ["2026-11-20T12:00:00Z", false],
    ["20 Nov 2026 12:00:00 GMT", false],
    ["Xxx, 99 Xxx 2026 12:00:00 GMT", false],
    ["", false],
  ])("%s", (header, matches) => {
    expect(ifRangeMatches(header, subject)).toBe(matches);
  });

  it("matches nothing that is not known", () => {
    expect(ifRangeMatches('"abc"', { etag: null, lastModifiedMs: null })).toBe(false);
    expect(ifRangeMatches("Fri, 20 Nov 2026 12:00:00 GMT", { etag: null, lastModifiedMs: null })).toBe(false);
    expect(ifRangeMatches('W/"abc"', { etag: 'W/"abc"', lastModifiedMs: null })).toBe(false);
  });

  it("sends the whole file when the copy is stale", () => {
    expect(chooseRange({ range: "bytes=1-2", ifRange: '"old"' }, subject)).toEqual(whole);
    expect(chooseRange({ range: "bytes=1-2", ifRange: '"abc"' }, subject)).toEqual(part(1, 2));
    expect(chooseRange({ range: "bytes=200-", ifRange: '"old"' }, subject)).toEqual(whole);
  });
});

describe("contentRange", () => {
  it("has a form for each outcome", () => {
    expect(contentRange({ kind: "part", offset: 0, lengthBytes: 500 }, 1_234)).toBe("bytes 0-499/1234");
    expect(contentRange({ kind: "unsatisfiable" }, 1_234)).toBe("bytes */1234");
    expect(contentRange({ kind: "whole" }, 1_234)).toBeNull();
  });
});
