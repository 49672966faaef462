/** The spelling of session tokens: one form, read back exactly, everything else refused. */
import { describe, expect, it } from "vitest";
import { formatSessionToken, parseSessionToken } from "#durable/session-store/token";
import { freshId } from "./objects.ts";

const token = {
  kind: "session",
  userId: freshId("user"),
  sessionId: freshId("session"),
  secret: "A".repeat(42) + "E",
} as const;
const text = formatSessionToken(token);

describe("session tokens", () => {
  it("reads back what it wrote, for both kinds", () => {
    expect(parseSessionToken(text)).toEqual(token);
    const refresh = { ...token, kind: "refresh" } as const;
    expect(formatSessionToken(refresh)).toMatch(/^ovr_/);
    expect(parseSessionToken(formatSessionToken(refresh))).toEqual(refresh);
  });

  it.each([
    ["nothing", ""],
    ["another prefix", text.replace("ovs_", "ovt_")],
    ["a cut token", text.slice(0, -1)],
    ["a longer token", `${text}A`],
    ["a line break at the end", `${text}\n`],
    ["capitals in an id", text.slice(0, 4) + text.slice(4, 56).toUpperCase() + text.slice(56)],
    ["a letter that is not in the alphabet of ids", `ovs_u${text.slice(5)}`],
    ["a path instead of an id", `ovs_../${text.slice(7)}`],
    ["a second spelling of the same secret", `${text.slice(0, -1)}F`],
    ["padding", `${text.slice(0, -1)}=`],
    ["only the prefix, repeated", "ovs_".repeat(30)],
    ["a very long text", "ovs_".repeat(100_000)],
    ["zero bytes", "\0".repeat(99)],
  ])("refuses %s", (_name, garbage) => {
    expect(parseSessionToken(garbage)).toBeNull();
  });

  it("does not write a token from ids of another form", () => {
    expect(() => formatSessionToken({ ...token, userId: "lock:abc" })).toThrow(TypeError);
    expect(() => formatSessionToken({ ...token, sessionId: token.userId })).toThrow(TypeError);
  });
});
