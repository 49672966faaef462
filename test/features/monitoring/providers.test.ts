/** /v1/status: what it says of the providers of models, without asking them. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Bindings } from "#core/env";
import { dayOf } from "#features/models/health";
import { forgetOverrides } from "#features/models/service";
import { bindings, call, signUp } from "#test/support/harness";
import { clientOf } from "../chat/client.ts";

const secret = "sk-live-of-the-operator";
const address = "http://127.0.0.1:8787/__sandbox/llm/v1";
/** Named like no provider of another test file: what an isolate saw is remembered. */
const env = {
  ...bindings,
  PROVIDER_WATCHED_BASE_URL: address,
  PROVIDER_WATCHED_KEY: secret,
  PROVIDER_ELSEWHERE_BASE_URL: address,
  PROVIDER_ELSEWHERE_KEY: secret,
} as unknown as Bindings;

interface Item {
  name: string;
}

async function providers(withEnv = env) {
  const { body } = await call("GET", "/v1/status", { env: withEnv });
  const items = new Map((body.parts.providers.items as Item[]).map((item) => [item.name, item]));
  return {
    ...body.parts.providers,
    overall: body.status,
    of: (name: string) => items.get(name),
    text: JSON.stringify(body),
  };
}

const ask = (model: string) => ({ model, messages: [{ role: "user" as const, content: "Hello" }] });

afterEach(() => vi.restoreAllMocks());

describe("providers of models", () => {
  it("are listed, configured or not, with nothing secret and nobody called", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const told = await providers();
    expect(told.of("watched")).toEqual({
      name: "watched",
      configured: true,
      state: "unknown",
      circuit: "closed",
      lastSuccessAt: null,
      lastFailureAt: null,
    });
    expect(told.of("requesty")).toMatchObject({ configured: false, state: "not-configured", circuit: "closed" });
    expect(told.of("sandbox")).toBeUndefined();
    const configured = told.items.filter((item: { configured: boolean }) => item.configured).length;
    expect(configured).toBeGreaterThanOrEqual(2);
    expect(told).toMatchObject({ status: "ok", detail: `${configured} of ${told.items.length} are configured.` });
    expect(told.text).not.toContain(secret);
    expect(told.text).not.toContain("127.0.0.1");
    expect(fetched).not.toHaveBeenCalled();
    expect((await providers(bindings)).of("watched")).toBeUndefined();
  });

  it("that answer are healthy; one that fails again and again is left alone, and said to be", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token, env);
    await api.chat.completions.create(ask("watched/gpt-4o-mini"));
    await settled();
    expect((await providers()).of("watched")).toMatchObject({
      state: "healthy",
      circuit: "closed",
      lastSuccessAt: expect.stringMatching(/Z$/),
      lastFailureAt: null,
    });
    for (let times = 0; times < 6; times += 1)
      await api.chat.completions.create(ask("watched/sandbox-error")).catch(() => undefined);
    await settled();
    const told = await providers();
    expect(told.of("watched")).toMatchObject({ configured: true, state: "failing", circuit: "open" });
    expect(told).toMatchObject({ status: "degraded", detail: "Failing: watched." });
    expect(told.overall).not.toBe("ok");
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 16_000);
    expect((await providers()).of("watched")).toMatchObject({ state: "failing", circuit: "half-open" });
  });

  it("that only other isolates called are known by what those wrote", async () => {
    const now = Date.now();
    await bindings.DB.prepare(
      `insert into model_provider_days (provider, day, calls, failures, duration_ms, last_success_at, last_failure_at)
       values ('elsewhere', ?, 3, 1, 30, ?, ?)`,
    )
      .bind(dayOf(now), now - 60_000, now - 30_000)
      .run();
    expect((await providers()).of("elsewhere")).toEqual({
      name: "elsewhere",
      configured: true,
      state: "degraded",
      circuit: "closed",
      lastSuccessAt: new Date(now - 60_000).toISOString(),
      lastFailureAt: new Date(now - 30_000).toISOString(),
    });
  });

  it("that a superadmin switched off are not configured", async () => {
    const superadmin = await signUp();
    await bindings.DB.prepare("update users set role = 'superadmin' where id = ?").bind(superadmin.userId).run();
    const off = await superadmin.call("PUT", "/v1/admin/providers", {
      body: { name: "elsewhere", baseUrl: "https://models.example.com/v1", enabled: false },
    });
    expect(off.status, JSON.stringify(off.body)).toBe(200);
    forgetOverrides();
    expect((await providers()).of("elsewhere")).toMatchObject({ configured: false, state: "not-configured" });
    await bindings.DB.prepare("delete from model_providers where name = 'elsewhere'").run();
    forgetOverrides();
  });
});
