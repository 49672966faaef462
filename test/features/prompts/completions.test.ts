/** Enhanced completions: levels, styles, who may use which, and what a call costs when it fails. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { Bindings } from "#core/env";
import { bindings, type Person, signUp } from "#test/support/harness";
import worker from "../../../src/index.ts";
import { configured, hello, misrouted, overridden, personWith, prompt, used } from "./support.ts";

const everything = () => personWith(["bpe", "bcot", "hcot", "react", "tot"], "ultra");
const nothing = { credits: 0, tokens: 0, reserved: 0 };

/** What the model was sent: the simulated echo answers with it. */
async function echoed(person: Person, body: object): Promise<string> {
  const { body: answer } = await misrouted("gpt-4o-mini", "sandbox-echo", () => prompt(person, body));
  return answer.choices[0].message.content;
}

describe("an enhanced completion", () => {
  it("is OpenAI's chat completion, and costs a credit beside its tokens", async () => {
    const person = await everything();
    const { status, body, headers } = await prompt(person, hello);
    expect(status).toBe(200);
    expect(body).toMatchObject({ object: "chat.completion", choices: [{ message: { role: "assistant" } }] });
    expect(body).not.toHaveProperty("research");
    expect(headers.get("x-overtone-model")).toBe("gpt-4o-mini");
    expect(await used(person)).toEqual({ credits: 1, tokens: body.usage.total_tokens, reserved: 0 });
  });

  it.each([
    ["low", "gpt-4o-mini"],
    ["medium", "gpt-4o"],
    ["high", "o3-mini"],
    ["ultra", "gpt-5"],
  ])("of level %s is made by %s", async (level, model) => {
    const { headers } = await prompt(await everything(), { ...hello, level });
    expect(headers.get("x-overtone-model")).toBe(model);
  });

  it("is answered by gpt-4o-mini when the level's model fails, for the same credit", async () => {
    const person = await everything();
    const { status, body, headers } = await misrouted("gpt-5", "sandbox-error", () =>
      prompt(person, { ...hello, level: "ultra" }),
    );
    expect(status).toBe(200);
    expect(headers.get("x-overtone-model")).toBe("gpt-4o-mini");
    expect(await used(person)).toEqual({ credits: 1, tokens: body.usage.total_tokens, reserved: 0 });
  });

  it("is answered by gpt-4o-mini where the level's model does not exist", async () => {
    const person = await everything();
    const { status, headers } = await overridden("o3-mini", { enabled: false }, () =>
      prompt(person, { ...hello, level: "high" }),
    );
    expect(status).toBe(200);
    expect(headers.get("x-overtone-model")).toBe("gpt-4o-mini");
  });

  it("by a test key reaches the simulators alone, and costs nothing", async () => {
    const person = await everything();
    const { key } = (await person.call("POST", "/v1/api-keys", { body: { name: "test", mode: "test" } })).body;
    const body = { ...hello, ai_research: true, messages: [{ role: "user", content: "Bees?" }] };
    const answer = await prompt(person, body, { as: key, env: bindings });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-overtone-provider")).toBe("sandbox");
    expect(answer.body.research.query).toBe("Bees?");
    expect(await used(person)).toEqual(nothing);
  });

  it("streams, and takes the credit when the stream has ended", async () => {
    const person = await everything();
    const { status, headers, bytes } = await prompt(person, {
      ...hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    const text = new TextDecoder().decode(bytes);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toContain("text/event-stream");
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    const total = Number(/"total_tokens":(\d+)/.exec(text)?.[1]);
    expect(await used(person)).toEqual({ credits: 1, tokens: total, reserved: 0 });
  });

  it("has the style's text first, the caller's system message after it, and every message but for NUL as it was", async () => {
    const person = await everything();
    const text = "a\0b\r\n\r\n<script>alert(1)</script> javascript:";
    const messages = [
      { role: "system", content: "Answer in French." },
      { role: "user", content: text },
    ];
    const said = await echoed(person, { level: "low", r_type: "react", messages });
    const style = said.indexOf("Work in rounds.");
    expect(style).toBeGreaterThanOrEqual(0);
    expect(said.indexOf("Answer in French.")).toBeGreaterThan(style);
    const sent = JSON.parse(said);
    expect(sent.messages[2].content).toBe("ab\r\n\r\n<script>alert(1)</script> javascript:");
    expect(sent).toMatchObject({ temperature: 0.7 });
    for (const name of ["level", "r_type", "ai_research"]) expect(sent).not.toHaveProperty(name);
  });

  it("uses the style's text that an admin set last", async () => {
    const person = await everything();
    const admin = await signUp();
    await bindings.DB.prepare("update users set role = 'superadmin' where id = ?").bind(admin.userId).run();
    const words = `Rhyme everything ${crypto.randomUUID()}.`;
    await admin.call("PUT", "/v1/admin/system-prompts/hcot", { body: { prompt: words } });
    expect(await echoed(person, { ...hello, r_type: "hcot" })).toContain(words);
  });

  it("is answered under the older path, too, and takes what older clients send beside it", async () => {
    const person = await everything();
    const body = { ...hello, r_type: null, ai_research: null, temperature: 0.2, stop: ["END"], extra: 1 };
    const answer = await person.call("POST", "/v1/prompt-legacy/completions", { env: configured, body });
    expect(answer.status).toBe(200);
    expect(answer.body.object).toBe("chat.completion");
  });
});

describe("settings", () => {
  it("go to the model, but for those that a reasoning model refuses", async () => {
    const person = await everything();
    const tuning = {
      temperature: 0.2,
      top_p: 0.5,
      frequency_penalty: 1,
      presence_penalty: -1,
      stop: "\u0007",
      max_tokens: 5_000,
    };
    expect(JSON.parse(await echoed(person, { ...hello, ...tuning }))).toMatchObject(tuning);
    const { body } = await misrouted("o3-mini", "sandbox-echo", () =>
      prompt(person, { ...hello, ...tuning, level: "high" }),
    );
    const sent = JSON.parse(body.choices[0].message.content);
    expect(sent).toMatchObject({ max_completion_tokens: 5_000 });
    for (const name of Object.keys(tuning)) expect(sent).not.toHaveProperty(name);
  });
});

describe("who may use what", () => {
  it("is decided for each person: a style or a level beyond is refused, and costs nothing", async () => {
    const person = await personWith(["bpe", "tot"], "medium");
    const style = await prompt(person, { ...hello, r_type: "hcot" });
    expect(style.status).toBe(403);
    expect(style.body).toMatchObject({ code: "prompt-style-not-allowed", allowed: ["bpe", "tot"] });
    const level = await prompt(person, { ...hello, level: "high" });
    expect(level.status).toBe(403);
    expect(level.body).toMatchObject({ code: "prompt-level-not-allowed", allowed: ["low", "medium"] });
    expect(await used(person)).toEqual(nothing);
    for (const given of [{ r_type: "tot" }, { level: "medium" }, { r_type: "bpe", level: "low" }])
      expect((await prompt(person, { ...hello, ...given })).status).toBe(200);
  });

  it("changes at once when it is changed", async () => {
    const person = await personWith(["bpe"], "ultra");
    expect((await prompt(person, { ...hello, level: "ultra" })).status).toBe(200);
    await bindings.DB.prepare("update users set prompt_level = 'low' where id = ?").bind(person.userId).run();
    expect((await prompt(person, { ...hello, level: "ultra" })).body.code).toBe("prompt-level-not-allowed");
  });
});

describe("a bad request", () => {
  it.each([
    [{ messages: hello.messages }, "level"],
    [{ ...hello, level: "extreme" }, "level"],
    [{ level: "low", messages: [] }, "messages"],
    [{ level: "low", messages: [{ role: "robot", content: "x" }] }, "messages.0.role"],
    [{ level: "low", messages: [{ role: "user", content: "x".repeat(50_001) }] }, "messages.0.content"],
    [{ ...hello, r_type: "cot" }, "r_type"],
    [{ ...hello, research_depth: "deep" }, "research_depth"],
    [{ ...hello, temperature: 9 }, "temperature"],
    [{ ...hello, max_tokens: 0 }, "max_tokens"],
  ])("is told of as a problem document (%#)", async (body, path) => {
    const person = await signUp();
    const answer = await prompt(person, body);
    expect(answer.status).toBe(422);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body).toMatchObject({ code: "validation-failed", errors: [{ path }] });
    expect(await used(person)).toEqual(nothing);
  });

  it("that names what only the server sets is refused", async () => {
    expect((await prompt(await signUp(), { ...hello, credits: 100 })).body.code).toBe("server-owned-member");
  });
});

describe("a call that fails", () => {
  it.each([
    ["sandbox-error", 502, "model-unavailable"],
    ["sandbox-bad-request", 400, "model-request-refused"],
    ["sandbox-rate-limited", 429, "model-rate-limited"],
  ])("gives everything back (%s)", async (model, status, code) => {
    const person = await everything();
    const answer = await misrouted("gpt-4o-mini", model, () => prompt(person, hello));
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.body.code).toBe(code);
    expect(await used(person)).toEqual(nothing);
  });

  it("in the middle of a stream ends in a problem; tokens that came are charged, the credit is not", async () => {
    const person = await everything();
    const { bytes } = await misrouted("gpt-4o-mini", "sandbox-cut-3", () => prompt(person, { ...hello, stream: true }));
    const text = new TextDecoder().decode(bytes);
    const last = JSON.parse(text.trim().split("data: ").at(-1) ?? "");
    expect(last).toMatchObject({
      status: 502,
      code: "model-stream-broken",
      type: expect.stringContaining("/problems/"),
    });
    const spent = await used(person);
    expect(spent).toMatchObject({ credits: 0, reserved: 0 });
    expect(spent.tokens).toBeGreaterThan(3);
  });

  it("because its caller left is no failure: what came is charged, and the credit", async () => {
    const person = await everything();
    const execution = createExecutionContext();
    const request = new Request("http://127.0.0.1:8787/v1/prompt/completions", {
      method: "POST",
      headers: { authorization: `Bearer ${person.token}`, "content-type": "application/json" },
      body: JSON.stringify({ ...hello, stream: true }),
    });
    await misrouted("gpt-4o-mini", "sandbox-slow-5", async () => {
      const response = await worker.fetch(request as never, configured, execution);
      const reader = response.body?.getReader();
      await reader?.read();
      await reader?.cancel();
      await waitOnExecutionContext(execution);
    });
    const spent = await used(person);
    expect(spent).toMatchObject({ credits: 1, reserved: 0 });
    expect(spent.tokens).toBeGreaterThan(0);
  });

  it("for lack of a provider says so", async () => {
    const person = await everything();
    const answer = await prompt(person, hello, { env: bindings as Bindings });
    expect(answer.status).toBe(503);
    expect(answer.body.code).toBe("model-provider-not-configured");
    expect(await used(person)).toEqual(nothing);
  });

  it("for lack of credits is refused, also when several come at once for the last ones", async () => {
    const person = await everything();
    const answers = await Promise.all(Array.from({ length: 14 }, () => prompt(person, { ...hello, max_tokens: 50 })));
    const statuses = answers.map(({ status }) => status).toSorted();
    expect(statuses).toEqual([...Array(10).fill(200), ...Array(4).fill(429)]);
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.body).toMatchObject({ code: "quota-exceeded", resource: "credits" });
    expect((await used(person)).credits).toBe(10);
  });
});
