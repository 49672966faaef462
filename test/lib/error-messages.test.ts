/** The words of an error's causes, which tell what the database refused. */
import { describe, expect, it } from "vitest";
import { messagesOf } from "#lib/error-messages";

describe("messagesOf", () => {
  it("gives the outermost first, and ends at what is no error", () => {
    const inner = new Error("UNIQUE constraint failed: users.email", { cause: "a text" });
    expect(messagesOf(new Error("Failed query", { cause: inner }))).toEqual(["Failed query", inner.message]);
    expect(messagesOf("a text")).toEqual([]);
    expect(messagesOf(undefined)).toEqual([]);
  });

  it("ends in a ring of causes", () => {
    const ring = new Error("round");
    ring.cause = ring;
    expect(messagesOf(ring)).toHaveLength(5);
  });
});
