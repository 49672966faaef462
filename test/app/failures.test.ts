/** What a failing database means for the caller and for the log. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeLog, redact } from "#core/log";
import { bindings, call, signUp } from "#test/support/harness";

/** The usual bindings with a database whose every read and write fails with these words. */
function failingDatabase(words: string): typeof bindings {
  const fail = () => Promise.reject(new Error(words));
  const statement: object = { bind: () => statement, all: fail, raw: fail, run: fail, first: fail };
  const session = { prepare: () => statement, batch: fail, getBookmark: () => null };
  return { ...bindings, DB: { withSession: () => session } as never };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a database that fails", () => {
  it("is a passing fault when it is overloaded", async () => {
    const env = failingDatabase("D1_ERROR: D1 DB is overloaded. Requests queued for too long.");
    const answer = await call("POST", "/v1/auth/register", {
      env,
      body: { email: "ada@example.com", password: "a long enough secret" },
    });
    expect(answer).toMatchObject({ status: 503, body: { code: "unavailable" } });
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("is told to the operator with its cause, without what people sent, and to the client not at all", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const env = failingDatabase("D1_ERROR: no such table: users");
    const person = await signUp();
    const email = "somebody-in-particular@example.com";
    const answer = await call("POST", "/v1/auth/register", { env, body: { email, password: "a long enough secret" } });
    expect(answer).toMatchObject({ status: 500, body: { code: "internal" } });
    expect(JSON.stringify(answer.body)).not.toMatch(/D1_ERROR|select/i);
    const lines = logged.mock.calls.map(([line]) => String(line)).join("\n");
    expect(lines).toContain(answer.body.requestId);
    expect(lines).toContain("no such table: users");
    expect(lines).not.toContain(email);
    expect(person.token).toBeTruthy();
  });
});

describe("a line of the log", () => {
  const written = (fields: Record<string, unknown>) => {
    const lines: string[] = [];
    makeLog({}, (line) => lines.push(line))("info", "test", fields);
    return lines.join("");
  };

  it("never holds the bytes of a key", () => {
    const key = crypto.getRandomValues(new Uint8Array(32));
    for (const bytes of [key, key.buffer, Buffer.from(key)]) expect(written({ bytes })).toContain('"bytes":"[bytes]"');
  });

  it("hides secrets by name and by their look", () => {
    const line = written({
      password: "hunter2",
      note: `sent ovr_${"a".repeat(95)} twice`,
      list: [{ masterKeyHex: "00ff" }],
    });
    expect(line).not.toMatch(/hunter2|aaaa|00ff/);
    expect(redact("X-Amz-Signature=0123abcd&x=1")).toBe("[redacted]&x=1");
  });

  it("ends where causes go in circles", () => {
    const error = new Error("outer");
    error.cause = error;
    expect(written({ error })).toContain("outer");
  });
});
