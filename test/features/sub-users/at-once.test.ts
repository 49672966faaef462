/** How many requests a sub-user may have under way. */
import { createExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { openSlots } from "#durable/rate-limiter/slots";
import type { Bindings } from "#core/env";
import { bindings, call } from "#test/support/harness";
import worker from "../../../src/index.ts";
import { family } from "./support.ts";

const upstream = "http://127.0.0.1:8787/__sandbox/llm/v1";
const env = { ...bindings, PROVIDER_OPENROUTER_BASE_URL: upstream, PROVIDER_OPENROUTER_KEY: "sk-live" } as Bindings;

/** A stream that lasts some seconds, unread. */
async function openStream(token: string): Promise<Response> {
  const messages = [{ role: "user", content: "tokens=200" }];
  const body = JSON.stringify({ model: "or/sandbox-slow-40", stream: true, max_tokens: 300, messages });
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const request = new Request("http://127.0.0.1:8787/v1/chat/completions", { method: "POST", headers, body });
  return worker.fetch(request as never, env, createExecutionContext());
}

describe("requests of a sub-user at once", () => {
  it("are as many as its limit says, streams among them, and not one more", async () => {
    const { parent, child } = await family();
    const limits = { max_concurrent_requests: 2 };
    expect((await parent.call("PATCH", `/v1/sub-users/${child.id}/limits`, { body: limits })).status).toBe(200);
    const streams = [await openStream(child.token), await openStream(child.token)];
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    expect(await child.call("GET", "/v1/files")).toMatchObject({
      status: 429,
      body: { code: "too-many-at-once", limit: "max_concurrent_requests", quota: 2 },
    });
    expect((await parent.call("GET", "/v1/files")).status).toBe(200);
    await streams[0]?.body?.cancel();
    let status = 429;
    for (let tries = 0; tries < 40 && status === 429; tries += 1)
      status = (await call("GET", "/v1/files", { as: child.token })).status;
    expect(status).toBe(200);
    await streams[1]?.body?.cancel();
  });

  it("leave their place when they end, well or badly", async () => {
    const { parent, child } = await family();
    await parent.call("PATCH", `/v1/sub-users/${child.id}/limits`, { body: { max_concurrent_requests: 1 } });
    for (let time = 0; time < 3; time += 1) {
      expect((await child.call("GET", "/v1/files")).status).toBe(200);
      expect((await child.call("GET", "/v1/files/none")).status).toBe(404);
    }
  });
});

describe("places", () => {
  it("are given once an id, and lapse", () => {
    const slots = openSlots();
    expect([1, 1].map((nowMs) => slots.enter({ id: "a", most: 1, nowMs }))).toEqual([true, true]);
    expect(slots.enter({ id: "b", most: 1, nowMs: 2 })).toBe(false);
    slots.leave("a");
    expect(slots.enter({ id: "b", most: 1, nowMs: 3 })).toBe(true);
    expect(slots.enter({ id: "c", most: 1, nowMs: 1_000_004 })).toBe(true);
  });
});
