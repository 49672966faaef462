/** Providers that fail as they do on a network: in one packet with the answer's beginning, in silence, with a time to come back. */
import { describe, expect, it } from "vitest";
import { unknownFacts } from "#adapters/llm/catalogue";
import type { Target } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import { signUp } from "#test/support/harness";
import type { Call } from "#features/chat/attempt";
import { openBreaker } from "#features/chat/breaker";
import { operations } from "#features/chat/operations";
import { readPlain } from "#features/chat/plain-answer";
import { beginStream, relay } from "#features/chat/relay";
import { openSource } from "#features/chat/source";
import { tryTargets } from "#features/chat/try-targets";
import { clientOf, used } from "./client.ts";

const patience = { firstByteMs: 1_000, idleMs: 50, totalMs: 1_000 };

function targetOf(provider: string): Target {
  return {
    provider,
    dialect: "openai",
    baseUrl: `https://${provider}.example/v1`,
    secret: "sk-test",
    ownKeyId: "key",
    isTenantUrl: false,
    model: "a-model",
    publicModel: "a-model",
    weight: 1,
    facts: unknownFacts("a-model"),
  };
}

describe("a stream that is broken in the very bytes of its first token", () => {
  const token = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "Hello" } }] })}\n\n`;
  const end = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`;
  const rules = { operation: operations.chat, patience, showsUsage: false, isTaped: false, isHeard: false };
  const ctx = { later: () => undefined, log: () => undefined } as unknown as WorkspaceCtx;
  const read = async (text: string) => {
    const begun = await beginStream(rules)(targetOf("one"), new Response(text));
    if (!begun.ok) return null;
    const { signal } = new AbortController();
    const more = { headers: {}, errorEvent: () => ({ error: {} }), preface: undefined, recorder: null, signal };
    const { response, ended } = relay(ctx, begun.begun, { ...rules, ...more });
    return { text: await response.text(), isCut: (await ended).isCut };
  };

  it.each([
    ["broken JSON", 'data: {"choices":[{\n\n'],
    ["an error", 'data: {"error":{"message":"It broke."}}\n\n'],
  ])("ends in an error behind that token, however it goes on (%s)", async (_, fault) => {
    expect(await read(token + fault + end)).toEqual({ text: `${token}data: {"error":{}}\n\n`, isCut: true });
    expect(await read(fault + token + end)).toBeNull();
    expect(await read(token + end)).toEqual({ text: token + end, isCut: false });
  });
});

describe("a stream that falls silent", () => {
  it("is late, also where giving it up fails the read that is waiting", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    const body = {
      getReader: () => ({
        readAtLeast: () => promise,
        cancel: async () => reject(new Error("Network connection lost.")),
      }),
    } as unknown as ReadableStream<Uint8Array<ArrayBuffer>>;
    const source = openSource(body, { target: targetOf("one"), operation: operations.chat, patience });
    await expect(source.next()).rejects.toMatchObject({ name: "TimeoutError" });
  });
});

describe("an error in the stream of a response", () => {
  it("is one with and without a type", () => {
    const isError = (data: unknown) => operations.responses.eventFacts({ name: null, data }).isError;
    expect(isError({ type: "error", message: "It broke." })).toBe(true);
    expect(isError({ error: { message: "It broke." } })).toBe(true);
    expect(isError({ type: "response.created", response: { error: null } })).toBe(false);
  });
});

describe("an answer that stops in its middle", () => {
  it("is a timeout once the caller's time is up, and nothing to ask for again", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const messages = [{ role: "user" as const, content: "Hello" }];
    const error = await api.chat.completions
      .create({ model: "or/sandbox-silent-3", messages }, { headers: { "x-overtone-timeout-ms": "300" } })
      .catch((thrown: unknown) => thrown);
    await settled();
    expect(error).toMatchObject({ status: 504, code: "model_timeout" });
    expect((error as { headers: Headers }).headers.get("x-should-retry")).toBe("false");
    expect(await used(person, "aiTokens")).toBe(0);
  });
});

describe("a provider that says when to come back", () => {
  it("is not asked before, while another one can be", async () => {
    const asked: string[] = [];
    const answers: Record<string, () => Response> = {
      one: () => new Response("{}", { status: 429, headers: { "retry-after": "5" } }),
      two: () =>
        asked.length < 4 ? new Response("{}", { status: 500 }) : Response.json({ choices: [{ message: {} }] }),
    };
    const ctx = {
      requestId: "req_1",
      now: () => Date.now(),
      random: (count: number) => new Uint8Array(count),
      log: () => undefined,
      outbound: {
        operatorStream: async ({ url }: Request) => {
          const name = new URL(url).hostname.split(".")[0] ?? "";
          asked.push(name);
          return answers[name]?.();
        },
      },
    } as unknown as WorkspaceCtx;
    const call: Call = {
      operation: operations.chat,
      body: {},
      isStream: false,
      patience,
      signal: new AbortController().signal,
    };
    const about = { call, begin: readPlain(operations.chat, { now: Date.now }), breaker: openBreaker() };
    const answered = await tryTargets(ctx, [targetOf("one"), targetOf("two")], about);
    expect(asked).toEqual(["one", "two", "two", "two"]);
    expect(answered.attempts).toBe(4);
  });
});
