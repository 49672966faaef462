/** Streams that can be resumed: read again from any event, followed while they run, billed once, and never whole when they were not. */
import { evictDurableObject } from "cloudflare:test";
import type OpenAI from "openai";
import { APIError, BadRequestError, NotFoundError } from "openai";
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import { describe, expect, it } from "vitest";
import type { Bindings } from "#core/env";
import { resumableLimit } from "#core/limits";
import { takeTokens } from "#durable/rate-limiter/client";
import { countingBindings } from "#test/support/counting";
import { family } from "#test/features/sub-users/support";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { clientOf, configured, used } from "./client.ts";

const question = (text: string, model = "gpt-4o-mini") => ({
  model,
  stream: true as const,
  messages: [{ role: "user" as const, content: text }],
});
const resumable = { headers: { "x-overtone-resumable": "true" } };

interface Call {
  name: string;
  method: string;
}

/** Notes the calls of streams' objects; what `answer` throws is thrown instead. */
function watched(answer: (one: Call) => void | Promise<void> = () => undefined): { env: Bindings; calls: Call[] } {
  const calls: Call[] = [];
  const stubOf = (name: string): object =>
    new Proxy(bindings.STREAM_BUFFER.getByName(name), {
      get: (stub, method) =>
        method === "then"
          ? undefined
          : async (...args: unknown[]) => {
              const one = { name, method: String(method) };
              calls.push(one);
              await answer(one);
              const run = Reflect.get(stub, method) as (...all: unknown[]) => unknown;
              return Reflect.apply(run, stub, args);
            },
    });
  const namespace = new Proxy(bindings.STREAM_BUFFER, {
    get: (target, name) => (name === "getByName" ? stubOf : (Reflect.get(target, name) as unknown)),
  });
  return { env: { ...configured, STREAM_BUFFER: namespace }, calls };
}

type Chunks = AsyncIterable<ChatCompletionChunk>;

async function textOf(stream: Chunks): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

/** The same call as OpenAI's client makes it. */
function resumed(api: OpenAI, id: string, after?: number): Promise<Chunks> {
  const headers = after === undefined ? {} : { "last-event-id": String(after) };
  return api.get(`/streams/${id}`, { stream: true, headers }) as unknown as Promise<Chunks>;
}

const idOf = (response: Response): string => response.headers.get("x-overtone-stream-id") ?? "";

async function raw(person: Person, path: string, headers: Record<string, string> = {}) {
  const answer = await call("GET", path, { as: person.token, env: configured, headers });
  return { ...answer, text: new TextDecoder().decode(answer.bytes) };
}

/** Text of the stream as it was sent, by one who asked for it to be resumable. */
async function asked(person: Person, path: string, body: object, headers: Record<string, string> = {}) {
  const options = { body, env: configured, headers: { ...resumable.headers, ...headers } };
  const answer = await person.call("POST", path, options);
  return { ...answer, text: new TextDecoder().decode(answer.bytes), id: idOf(answer as unknown as Response) };
}

const idsOf = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));

describe("a stream that was asked to be resumable", () => {
  it("is read by OpenAI's client as any other, and again from any event, for the price of one", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const plain = await textOf(await api.chat.completions.create(question("Count to five.")));
    await settled();
    const price = await used(person, "aiTokens");
    const { data, response } = await api.chat.completions.create(question("Count to five."), resumable).withResponse();
    expect(await textOf(data)).toBe(plain);
    await settled();
    const id = idOf(response);
    expect(id).toMatch(/^stream_[0-9A-Za-z]{22}$/);
    expect(await textOf(await resumed(api, id))).toBe(plain);
    const whole = (await raw(person, `/v1/streams/${id}`)).text;
    const ids = idsOf(whole);
    expect(ids).toEqual(ids.map((_, at) => at + 1));
    expect(whole.endsWith(`data: [DONE]\nid: ${ids.length}\n\n`)).toBe(true);
    for (const after of [0, 1, 4, ids.length - 1, ids.length]) {
      const rest = (await raw(person, `/v1/streams/${id}`, { "last-event-id": String(after) })).text;
      expect(rest).toBe(whole.slice(whole.length - rest.length));
      expect(idsOf(rest)).toEqual(ids.slice(after));
    }
    expect((await raw(person, `/v1/streams/${id}?after=3`)).text).toMatch(/^data: .*\nid: 4\n/);
    expect(await used(person, "aiTokens")).toBe(2 * price);
  });

  it("sends what it keeps, byte by byte, from every operation that streams", async () => {
    const person = await signUp();
    const cases: [string, object][] = [
      ["/v1/chat/completions", question("Hello.")],
      ["/v1/completions", { model: "gpt-3.5-turbo-instruct", prompt: "Once upon", stream: true }],
      ["/v1/responses", { model: "gpt-4o-mini", input: "Hello.", stream: true }],
      ["/v1/responses", { model: "claude-sonnet-4-5", input: "Hello.", stream: true }],
      ["/v1/chat/completions", question("Hello.", "claude-sonnet-4-5")],
      ["/v1/prompt/completions", { level: "low", stream: true, messages: question("Hello.").messages }],
    ];
    for (const [path, body] of cases) {
      const first = await asked(person, path, body);
      expect(first.status, path).toBe(200);
      const again = await raw(person, `/v1/streams/${first.id}`);
      expect(again.text, path).toBe(first.text);
      expect(idsOf(first.text).length, path).toBeGreaterThan(3);
    }
  });

  it("begins with what research found, where a prompt asked for it", async () => {
    const person = await signUp();
    const body = { level: "low", stream: true, ai_research: true, messages: question("Bees?").messages };
    const first = await asked(person, "/v1/prompt/completions", body);
    expect(first.text).toMatch(
      /^data: \{"object":"chat\.completion\.chunk","choices":\[\],"research":\{.*\}\}\nid: 1\n\n/,
    );
    expect((await raw(person, `/v1/streams/${first.id}`)).text).toBe(first.text);
  });

  it("out of the cache has no way back and needs none, and begins with its research, too", async () => {
    const person = await signUp();
    const body = {
      level: "low",
      stream: true,
      ai_research: true,
      messages: question(`Bees ${person.userId}?`).messages,
    };
    const cached = { "x-overtone-cache": "any-temperature" };
    const first = await asked(person, "/v1/prompt/completions", body, cached);
    const second = await asked(person, "/v1/prompt/completions", body, cached);
    expect([first, second].map(({ headers }) => headers.get("x-overtone-cache"))).toEqual(["miss", "hit"]);
    expect([first, second].map(({ id }) => id !== "")).toEqual([true, false]);
    expect(second.text).toMatch(/^data: \{"object":"chat\.completion\.chunk","choices":\[\],"research":/);
    const withoutTimes = (text: string) =>
      text.replaceAll(/^id: \d+\n/gm, "").replaceAll(/"processing_time_ms":\d+/g, "");
    expect(withoutTimes(second.text)).toBe(withoutTimes(first.text));
  });

  it("is followed by several readers while it runs, after its caller has left, and charged as it was read", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const slow = question("Tell me a long story.", "or/sandbox-slow-15");
    const plain = await textOf(await api.chat.completions.create(slow));
    await settled();
    const price = await used(person, "aiTokens");
    const { data, response } = await api.chat.completions.create(slow, resumable).withResponse();
    let seen = "";
    let events = 0;
    for await (const chunk of data) {
      events += 1;
      seen += chunk.choices[0]?.delta.content ?? "";
      if (seen.length > 20) break;
    }
    const id = idOf(response);
    const [rest, all] = await Promise.all([resumed(api, id, events).then(textOf), resumed(api, id).then(textOf)]);
    await settled();
    expect(seen + rest).toBe(plain);
    expect(all).toBe(plain);
    expect(seen.length).toBeLessThan(plain.length);
    expect(await used(person, "aiTokens")).toBe(2 * price);
  });

  it("that broke ends in the same error for all its readers", async () => {
    const person = await signUp();
    const first = await asked(person, "/v1/chat/completions", question("Say a long sentence.", "or/sandbox-cut-3"));
    expect(first.text).toMatch(/data: \{"error":\{.*"code":"model_stream_broken".*\}\nid: \d+\n\n$/);
    expect((await raw(person, `/v1/streams/${first.id}`)).text).toBe(first.text);
    const { api } = clientOf(person.token);
    await expect(resumed(api, first.id, 2).then(textOf)).rejects.toThrow(APIError);
  });
});

describe("what a kept stream costs", () => {
  it("is nothing to who did not ask for it: no number, no call", async () => {
    const person = await signUp();
    const { env, counts, reset } = countingBindings();
    const { env: watching, calls } = watched();
    const { api, settled } = clientOf(person.token, { ...configured, ...env, STREAM_BUFFER: watching.STREAM_BUFFER });
    const read = async (headers: Record<string, string> = {}) => {
      const response = await api.chat.completions.create(question("Hello"), { headers }).asResponse();
      expect(response.headers.has("x-overtone-stream-id")).toBe(false);
      expect(await response.text()).not.toMatch(/^id:/m);
    };
    for (let time = 0; time < 3; time += 1) await read();
    reset();
    for (let time = 0; time < 4; time += 1) await read(time % 2 === 0 ? {} : { "x-overtone-resumable": "false" });
    // Of objects only the ledger may be asked meanwhile, behind the answers.
    expect(counts).toMatchObject({ database: 0, files: 0 });
    await settled();
    expect(calls).toEqual([]);
  });

  it("is a call for each quarter of a second, however many events came in it", async () => {
    const person = await signUp();
    const { env, calls } = watched();
    const { api, settled } = clientOf(person.token, env);
    const chunks = await api.chat.completions.create(question("tokens=300"), resumable);
    let count = 0;
    for await (const chunk of chunks) count += chunk.choices.length;
    await settled();
    expect(count).toBeGreaterThan(300);
    const appended = calls.filter(({ method }) => method === "append").length;
    expect(calls[0]?.method).toBe("open");
    expect(appended).toBeGreaterThan(0);
    expect(appended).toBeLessThan(12);
  });

  it("is one of those that may begin in five minutes, and beyond them a refusal before any provider is asked", async () => {
    const person = await signUp();
    const { env, calls } = watched();
    const { api, settled } = clientOf(person.token, env);
    await takeTokens(
      bindings.RATE_LIMITER,
      {
        principal: `workspace:${person.workspaceId}`,
        limits: [resumableLimit],
        costs: [resumableLimit.quota],
      },
      { nowMs: Date.now() },
    );
    const refused = api.chat.completions.create(question("Hello"), resumable);
    await expect(refused).rejects.toMatchObject({
      status: 429,
      code: "rate_limited",
      error: { limit: "resumable-streams" },
    });
    await textOf(await api.chat.completions.create(question("Hello")));
    await settled();
    expect(calls).toEqual([]);
  });

  it("is nothing kept of a request that failed", async () => {
    const person = await signUp();
    const { env, calls } = watched();
    const { api, settled } = clientOf(person.token, env);
    const failing = api.chat.completions.create(question("Hello", "or/sandbox-error"), resumable);
    await expect(failing).rejects.toThrow(APIError);
    await settled();
    expect(calls.map(({ method }) => method)).toEqual(["open", "discard"]);
  });
});

describe("an object of a stream", () => {
  it("that is removed in mid-stream costs its readers nothing", async () => {
    const person = await signUp();
    const { env, calls } = watched();
    const { api, settled } = clientOf(person.token, env);
    const slow = question("tokens=60", "or/sandbox-slow-15");
    const { data, response } = await api.chat.completions.create(slow, resumable).withResponse();
    const reading = resumed(api, idOf(response)).then(textOf);
    const hasAppended = () => calls.filter(({ method }) => method === "append").length > 1;
    let evictions = 0;
    let text = "";
    for await (const chunk of data) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (evictions > 0 || !hasAppended()) continue;
      evictions += 1;
      await evictDurableObject(bindings.STREAM_BUFFER.getByName(calls[0]?.name ?? ""));
    }
    expect(evictions).toBe(1);
    expect(await reading).toBe(text);
    await settled();
  });

  it("that is slow is waited for by who has seen more than it has heard", async () => {
    const person = await signUp();
    const { env } = watched(({ method }) => (method === "append" ? scheduler.wait(350) : undefined));
    const { api, settled } = clientOf(person.token, env);
    const { data, response } = await api.chat.completions
      .create(question("tokens=80", "or/sandbox-slow-15"), resumable)
      .withResponse();
    let seen = "";
    let events = 0;
    const begunMs = Date.now();
    for await (const chunk of data) {
      events += 1;
      seen += chunk.choices[0]?.delta.content ?? "";
      if (Date.now() - begunMs > 450) break;
    }
    const rest = await textOf(await resumed(api, idOf(response), events));
    expect(seen + rest).toBe(await textOf(await resumed(api, idOf(response))));
    await settled();
  });

  it("that does not answer costs the caller the way back, and nothing else", async () => {
    const person = await signUp();
    const { env } = watched(() => {
      throw new Error("no object");
    });
    const { api, settled } = clientOf(person.token, env);
    const { data, response } = await api.chat.completions.create(question("Hello"), resumable).withResponse();
    expect(response.headers.has("x-overtone-stream-id")).toBe(false);
    expect(await textOf(data)).not.toBe("");
    await settled();
    expect(await used(person, "aiTokens")).toBeGreaterThan(5);
  });

  it("whose sender vanished ends in an error when that is sure, whatever had come", async () => {
    const person = await signUp();
    let appended = 0;
    const { env, calls } = watched(({ method }) => {
      if (method === "append" && (appended += 1) > 1) throw new Error("killed");
    });
    const { api, settled } = clientOf(person.token, env);
    const slow = question("Tell me a long story.", "or/sandbox-slow-15");
    const { data, response } = await api.chat.completions.create(slow, resumable).withResponse();
    const whole = await textOf(data);
    await settled();
    const object = bindings.STREAM_BUFFER.getByName(calls[0]?.name ?? "");
    expect(await object.read({ after: 0, waitMs: 0, nowMs: Date.now() + 31_000 })).toMatchObject({ state: "lost" });
    let text = "";
    const reading = (async () => {
      for await (const chunk of await resumed(api, idOf(response))) text += chunk.choices[0]?.delta.content ?? "";
    })();
    await expect(reading).rejects.toThrow(APIError);
    expect(text).not.toBe("");
    expect(whole.startsWith(text)).toBe(true);
    expect(text.length).toBeLessThan(whole.length);
    // The caller had seen more than was kept.
    await expect(resumed(api, idOf(response), 40).then(textOf)).rejects.toThrow(APIError);
  });

  it("holds nothing that can be read without the master key", async () => {
    const person = await signUp();
    const { env, calls } = watched();
    const { api, settled } = clientOf(person.token, env);
    await textOf(await api.chat.completions.create(question("say: a secret sentence"), resumable));
    await settled();
    const kept = await bindings.STREAM_BUFFER.getByName(calls[0]?.name ?? "").read({ after: 0, waitMs: 0 });
    expect(kept?.lastId).toBeGreaterThan(3);
    const all = Buffer.concat((kept?.parts ?? []).map(({ sealed }) => sealed)).toString("latin1");
    expect(all.length).toBeGreaterThan(500);
    expect(all).not.toContain("secret");
    expect(all).not.toContain("data:");
  });
});

describe("who may read a stream again", () => {
  it("nobody of another workspace, in another mode, or by another id", async () => {
    const person = await signUp();
    const other = await signUp();
    const { id } = await asked(person, "/v1/chat/completions", question("Hello."));
    const key = await person.call("POST", "/v1/api-keys", { body: { name: "test", mode: "test" } });
    const testKey = clientOf(key.body.key ?? key.body.secret);
    for (const api of [clientOf(other.token).api, testKey.api])
      await expect(resumed(api, id)).rejects.toThrow(NotFoundError);
    const { api } = clientOf(person.token);
    for (const wrong of [`${id.slice(0, -1)}-`, `${id.slice(0, -4)}0000`, "stream_1", "resp_0"])
      await expect(resumed(api, wrong)).rejects.toMatchObject({ status: 404, code: "stream_not_found" });
    expect((await raw(person, `/v1/streams/${id}`)).status).toBe(200);
  });

  it("a sub-user its own, and whoever is at home in the workspace each", async () => {
    const { parent, child } = await family();
    const own = await asked(child as unknown as Person, "/v1/chat/completions", question("Hello."));
    const foreign = await asked(parent, "/v1/chat/completions", question("Hello."));
    const status = async (token: string, id: string) =>
      (await call("GET", `/v1/streams/${id}`, { as: token, env: configured })).status;
    expect([await status(child.token, own.id), await status(child.token, foreign.id)]).toEqual([200, 404]);
    expect([await status(parent.token, own.id), await status(parent.token, foreign.id)]).toEqual([200, 200]);
  });

  it("with a position that is one", async () => {
    const person = await signUp();
    const { id, text } = await asked(person, "/v1/chat/completions", question("Hello."));
    const { api } = clientOf(person.token);
    const read = (after: string, query = "") =>
      api.get(`/streams/${id}${query}`, { headers: { "last-event-id": after } });
    for (const wrong of ["-1", "1.5", "one", "", "9999999999999999", String(idsOf(text).length + 1)])
      await expect(read(wrong), wrong).rejects.toMatchObject({ code: "validation_failed" });
    await expect(read("1", "?after=2")).rejects.toThrow(BadRequestError);
    const strange = { headers: { "x-overtone-resumable": "yes" } };
    await expect(api.chat.completions.create(question("Hello."), strange)).rejects.toThrow(BadRequestError);
  });

  it("not of one above a mebibyte, which reaches its caller whole", async () => {
    const person = await signUp();
    const { id, text } = await asked(person, "/v1/chat/completions", { ...question("tokens=6000"), max_tokens: 8_000 });
    expect(text.length).toBeGreaterThan(1_100_000);
    expect(text).toContain("data: [DONE]");
    const { api } = clientOf(person.token);
    await expect(resumed(api, id)).rejects.toMatchObject({ status: 410, code: "stream_too_long" });
    await expect(resumed(api, id, 4)).rejects.toMatchObject({ status: 410, code: "stream_too_long" });
  });
});
