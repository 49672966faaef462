/** Everything that can go wrong with a model, asked for by its name; and what a client's disconnect does. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { base, collected, counters, drain, hello, openai, post, postStream, sandboxFetch } from "./support.ts";

const client = openai();
const chat = (model: string, more: object = {}) => ({ model, messages: hello, ...more });
const streamed = (model: string, more: object = {}) =>
  postStream("chat/completions", chat(model, { stream: true, ...more }));
const withToken = (pieces: string[]) => pieces.filter((piece) => /"delta":\{"content":"[^"]/.test(piece)).length;

describe("keys", () => {
  it("are all taken but two, and one is needed", async () => {
    const listed = await openai("anything").models.list();
    expect(listed.data.length).toBeGreaterThan(20);
    await expect(openai("sk-sandbox-invalid").models.list()).rejects.toThrow(OpenAI.AuthenticationError);
    const exhausted = openai("sk-sandbox-exhausted").chat.completions.create(chat("gpt-4o"));
    await expect(exhausted).rejects.toMatchObject({ status: 429, code: "insufficient_quota" });
    const answer = await sandboxFetch(`${base}/v1/models`);
    expect(answer.status).toBe(401);
  });
});

describe("refusals", () => {
  it.each([
    ["sandbox-rate-limited", OpenAI.RateLimitError, 429, "rate_limit_exceeded"],
    ["sandbox-error", OpenAI.InternalServerError, 500, null],
    ["sandbox-unavailable", OpenAI.InternalServerError, 503, null],
    ["sandbox-bad-request", OpenAI.BadRequestError, 400, "context_length_exceeded"],
    ["sandbox-nonsense", OpenAI.NotFoundError, 404, "model_not_found"],
  ] as const)("of %s are the SDK's %o", async (model, kind, status, code) => {
    for (const stream of [false, true]) {
      const failure: unknown = await client.chat.completions
        .create(chat(model, { stream }) as never)
        .catch((error) => error);
      expect(failure).toBeInstanceOf(kind);
      expect(failure).toMatchObject({ status, code, requestID: expect.stringMatching(/^req_/) });
    }
  });

  it("name the wait, and hold for every operation", async () => {
    const limited = await post("embeddings", { model: "openai/sandbox-rate-limited", input: "a" });
    expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "1"]);
  });

  it("of a flaky model end after as many as its name says, for each user", async () => {
    const user = crypto.randomUUID();
    const ask = async (more: object) => (await post("chat/completions", chat("sandbox-flaky-2", more))).status;
    expect([await ask({ user }), await ask({ user }), await ask({ user })]).toEqual([500, 500, 200]);
    const metadata = { id: crypto.randomUUID() };
    expect([await ask({ metadata }), await ask({ metadata }), await ask({ metadata })]).toEqual([500, 500, 200]);
  });
});

describe("streams", () => {
  it.each([0, 1, 5])("are cut after %i tokens without an end", async (after) => {
    const { pieces, error } = await drain(await streamed(`sandbox-cut-${after}`));
    expect(error).toBeInstanceOf(Error);
    expect(withToken(pieces)).toBe(after);
    expect(pieces.length).toBe(after === 0 ? 0 : after + 1);
    expect(pieces.join("")).not.toContain("[DONE]");
  });

  it("are cut after the opening event", async () => {
    const { pieces, error } = await drain(await streamed("sandbox-cut-start"));
    expect(error).toBeInstanceOf(Error);
    expect([pieces.length, withToken(pieces)]).toEqual([1, 0]);
  });

  it("are cut at the latest after their last token, before they say why they end", async () => {
    const { pieces, error } = await drain(await streamed("sandbox-cut-99999", { max_tokens: 4 }));
    expect(error).toBeInstanceOf(Error);
    expect(withToken(pieces)).toBe(4);
    expect(pieces.join("")).not.toContain('"finish_reason":"');
  });

  it("break in the SDK as errors, never as an end", async () => {
    const read = async (model: string) =>
      collected(await client.chat.completions.create({ ...chat(model), stream: true }));
    await expect(read("sandbox-cut-2")).rejects.toThrow();
    await expect(read("sandbox-error-event-2")).rejects.toThrow(OpenAI.APIError);
    await expect(read("sandbox-bad-json-2")).rejects.toThrow(SyntaxError);
  });

  it("close without an end, or with an error in mid-stream", async () => {
    const ended = await drain(await streamed("sandbox-end-2"));
    expect([ended.error, withToken(ended.pieces)]).toEqual([null, 2]);
    expect(ended.pieces.join("")).not.toContain("[DONE]");
    const failed = await drain(await streamed("sandbox-error-event-2"));
    expect([failed.error, withToken(failed.pieces)]).toEqual([null, 2]);
    expect(failed.pieces.at(-1)).toContain('"type":"server_error"');
  });

  it("carry a broken line and go on", async () => {
    const { pieces, error } = await drain(await streamed("sandbox-bad-json-2", { max_tokens: 6 }));
    expect([error, withToken(pieces)]).toEqual([null, 6]);
    const broken = pieces.findIndex((piece) => piece.includes('"id":"broken"'));
    expect(withToken(pieces.slice(0, broken))).toBe(2);
    expect(() => JSON.parse(pieces[broken]?.slice("data: ".length) ?? "{}") as unknown).toThrow(SyntaxError);
  });

  it("are empty, lack usage, come in shreds, or are a page", async () => {
    const empty = await streamed("sandbox-empty");
    expect([empty.status, await empty.text()]).toEqual([200, ""]);
    const options = { stream_options: { include_usage: true } };
    const unbilled = await (await streamed("sandbox-no-usage", options)).text();
    expect(unbilled).not.toContain("prompt_tokens");
    expect(unbilled).toContain("[DONE]");
    const shredded = await drain(await streamed("sandbox-shredded"));
    expect(shredded.pieces.every((piece) => piece.length <= 7)).toBe(true);
    expect(shredded.pieces.join("")).toContain("[DONE]");
    const page = await streamed("sandbox-html");
    expect(page.headers.get("content-type")).toContain("text/event-stream");
    expect(await page.text()).toContain("<!doctype html>");
  });

  it("drip", async () => {
    const { pieces, error } = await drain(await streamed("sandbox-slow-1", { max_tokens: 5 }));
    expect([error, withToken(pieces)]).toEqual([null, 5]);
  });
});

describe("plain answers", () => {
  it("break off, or are damaged, empty or a page", async () => {
    const whole = (await post("chat/completions", chat("sandbox-slow-1"))).text.length;
    for (const model of ["sandbox-cut-3", "sandbox-cut"]) {
      const { pieces, error } = await drain(await postStream("chat/completions", chat(model)));
      expect(error).toBeInstanceOf(Error);
      expect(pieces.join("").length).toBeLessThan(whole);
    }
    for (const model of ["sandbox-end", "sandbox-bad-json", "sandbox-empty", "sandbox-html"]) {
      const answer = await post("chat/completions", chat(model));
      expect([model, answer.status, answer.body]).toEqual([model, 200, null]);
      expect(answer.headers.get("content-type")).toBe("application/json");
    }
    expect((await post("chat/completions", chat("sandbox-error-event"))).status).toBe(500);
    expect((await post("chat/completions", chat("sandbox-no-usage"))).body.usage).toBeUndefined();
    expect((await post("chat/completions", chat("sandbox-shredded"))).body.usage.total_tokens).toBeGreaterThan(0);
  });
});

describe("a client that leaves", () => {
  const user = () => crypto.randomUUID();

  it("ends a silent stream at once, and that is counted with what was delivered", async () => {
    const who = user();
    const gone = new AbortController();
    const response = await postStream("chat/completions", chat("sandbox-silent-3", { stream: true, user: who }), {
      signal: gone.signal,
    });
    const reading = drain(response);
    const before = { requests: 1, finished: 0, aborted: 0, broken: 0, tokens: 3 };
    await expect.poll(() => counters("sandbox-silent-3", who)).toEqual(before);
    gone.abort();
    const { pieces, error } = await reading;
    expect(withToken(pieces)).toBe(3);
    expect(error).toMatchObject({ name: "AbortError" });
    expect(await counters("sandbox-silent-3", who)).toEqual({ ...before, aborted: 1 });
  });

  it("is noticed when it only stops to read", async () => {
    const who = user();
    const response = await streamed("sandbox-slow-1", {
      user: who,
      messages: [{ role: "user", content: "tokens=5000" }],
    });
    const reader = response.body?.getReader();
    for (let piece = 0; piece < 5; piece += 1) await reader?.read();
    await reader?.cancel();
    expect(await counters("sandbox-slow-1", who)).toEqual({
      requests: 1,
      finished: 0,
      aborted: 1,
      broken: 0,
      tokens: 4,
    });
  });

  it("frees a server that never answers", async () => {
    const who = user();
    const gone = new AbortController();
    const asking = postStream("chat/completions", chat("sandbox-no-headers", { user: who }), { signal: gone.signal });
    await expect.poll(async () => (await counters("sandbox-no-headers", who)).requests).toBe(1);
    gone.abort();
    await expect(asking).rejects.toMatchObject({ name: "AbortError" });
    expect(await counters("sandbox-no-headers", who)).toMatchObject({ finished: 0, aborted: 1 });
  });

  it("is told apart from a break and an end", async () => {
    const who = user();
    await drain(await streamed("sandbox-cut-2", { user: who }));
    expect(await counters("sandbox-cut-2", who)).toEqual({
      requests: 1,
      finished: 0,
      aborted: 0,
      broken: 1,
      tokens: 2,
    });
    const { body } = await post("chat/completions", chat("gpt-4o", { user: who }));
    expect(await counters("gpt-4o", who)).toEqual({
      requests: 1,
      finished: 1,
      aborted: 0,
      broken: 0,
      tokens: body.usage.completion_tokens,
    });
    expect(await counters("gpt-4o", user())).toMatchObject({ requests: 0 });
  });
});
