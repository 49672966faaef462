/** GET /v1/tokens/usage, stats, balance, limits: what was asked of models, each request once, and what is left. */
import { describe, expect, it } from "vitest";
import { chargeTokens, deliverUsage } from "#features/usage/service";
import { costMicroUsd } from "#features/models/service";
import { addModelUses } from "#features/usage/model-use-store";
import { dayName, monthOf } from "#lib/usage-period";
import { bindings, type Person, signUp, systemContext } from "#test/support/harness";
import { clientOf } from "../chat/client.ts";
import { family } from "../sub-users/support.ts";
import { actingAs, rows } from "../usage/support.ts";

const today = dayName(Date.now());
const dayMs = 24 * 3_600_000;
const ask = (model: string, text = "Say hello.") => ({ model, messages: [{ role: "user" as const, content: text }] });
const usage = async (who: Pick<Person, "call">, query = "") => (await who.call("GET", `/v1/tokens/usage${query}`)).body;

const none = {
  requests: 0,
  errors: 0,
  estimated: 0,
  tokens_used: 0,
  input_tokens: 0,
  cached_tokens: 0,
  output_tokens: 0,
  cost_micro_usd: 0,
  cost_usd: 0,
};

describe("what was asked of models", () => {
  it("is recorded with tokens, money, provider and kind, exactly as it was charged", async () => {
    const person = await signUp();
    const made = await person.call("POST", "/v1/api-keys", { body: { name: "app", scopes: ["models:use"] } });
    const [bySession, byKey] = [clientOf(person.token), clientOf(made.body.key)];
    const one = await bySession.api.chat.completions.create(ask("gpt-4o-mini"));
    const two = await byKey.api.chat.completions.create(ask("gpt-4o-mini", "Say it again."));
    const vectors = await byKey.api.embeddings.create({ model: "text-embedding-3-small", input: "one" });
    await byKey.api.chat.completions.create(ask("or/sandbox-bad-request")).catch(() => undefined);
    await Promise.all([bySession.settled(), byKey.settled()]);
    const chats = [one, two].map(({ usage: used }) => ({
      in: used?.prompt_tokens ?? 0,
      out: used?.completion_tokens ?? 0,
    }));
    const input = chats.reduce((sum, chat) => sum + chat.in, 0);
    const output = chats.reduce((sum, chat) => sum + chat.out, 0);
    const price = {
      inputMicroUsdPerMillion: 150_000,
      cachedInputMicroUsdPerMillion: 75_000,
      outputMicroUsdPerMillion: 600_000,
    };
    const costs = chats.map((chat) =>
      costMicroUsd({ ownKeyId: null, facts: { price } } as never, {
        inputTokens: chat.in,
        cachedInputTokens: 0,
        outputTokens: chat.out,
        estimated: false,
      }),
    );
    const cost = costs.reduce((sum, part) => sum + part, 0);
    const told = await usage(person);
    const chatSums = {
      ...none,
      requests: 2,
      tokens_used: input + output,
      input_tokens: input,
      output_tokens: output,
      cost_micro_usd: cost,
      cost_usd: cost / 1_000_000,
    };
    expect(told.usage_by_model.find(({ model }: { model: string }) => model === "gpt-4o-mini")).toEqual({
      model: "gpt-4o-mini",
      ...chatSums,
    });
    expect(told.records).toHaveLength(4);
    expect(told.total_records).toBe(4);
    expect(told.records).toContainEqual({
      date: today,
      user_id: person.userId,
      key_id: made.body.id,
      model_name: "or/sandbox-bad-request",
      provider: null,
      request_type: "chat",
      ...none,
      requests: 1,
      errors: 1,
    });
    const { body } = await person.call("GET", "/v1/usage");
    expect(told.total_tokens).toBe(input + output + vectors.usage.total_tokens);
    expect(told.total_tokens).toBe(body.usage.aiTokens);
    expect(told.totals.cost_micro_usd).toBe(body.usage.money);
    expect(told.total_requests).toBe(4);
    expect(told.daily_usage).toHaveLength(30);
    expect(told.daily_usage.at(-1)).toEqual({ date: today, ...told.totals });
    expect(told.daily_usage[0]).toEqual({ date: dayName(Date.now() - 29 * dayMs), ...none });
    const { body: stats } = await person.call("GET", "/v1/tokens/stats?days=7");
    expect(stats).toMatchObject({
      days: 7,
      total_requests: 4,
      total_errors: 1,
      success_rate: 0.75,
      average_tokens_per_request: Math.round((told.total_tokens / 4) * 100) / 100,
      average_tokens_per_day: Math.round((told.total_tokens / 7) * 100) / 100,
      peak_day: { date: today, tokens_used: told.total_tokens },
    });
    expect(stats.by_provider.map(({ provider }: { provider: string | null }) => provider)).toEqual(["openai", null]);
    expect(stats.by_request_type.map((kind: { request_type: string }) => kind.request_type)).toEqual([
      "chat",
      "embeddings",
    ]);
  });

  it("of a stream that breaks counts as an error with what was delivered, and as estimated where nobody counted", async () => {
    const person = await signUp();
    const { api, settled } = clientOf(person.token);
    const stream = await api.chat.completions.create({ ...ask("or/sandbox-cut-3", "Count to ten."), stream: true });
    await expect(
      (async () => {
        for await (const chunk of stream) void chunk;
      })(),
    ).rejects.toThrow();
    await settled();
    const { totals, usage_by_provider: providers } = await usage(person);
    expect(totals).toMatchObject({ requests: 1, errors: 1, estimated: 1 });
    expect(totals.tokens_used).toBe(totals.input_tokens + totals.output_tokens);
    expect(totals.tokens_used).toBeGreaterThan(0);
    expect(providers).toEqual([{ provider: "openrouter", ...totals }]);
  });

  it("is written once, however often it is delivered", async () => {
    const person = await signUp();
    const { userId, workspaceId } = person;
    const use = { ...counted(5), provider: "p", operation: "chat" };
    const event = {
      id: "purse:one/uses",
      atMs: Date.now(),
      userId,
      keyId: "",
      model: "m",
      uses: [use, { ...use, provider: "q" }],
    };
    const ctx = systemContext();
    for (let times = 0; times < 3; times += 1) {
      const [first, ...rest] = addModelUses(ctx, workspaceId, [event]);
      if (first) await ctx.db.batch([first, ...rest]);
    }
    await chargeTokens(actingAs(person), { id: "two", tokens: 7, use: { ...use, tokens: 7 } });
    await chargeTokens(actingAs(person), { id: "two", tokens: 7, use: { ...use, tokens: 7 } });
    await Promise.all([deliverUsage(systemContext(), workspaceId), deliverUsage(systemContext(), workspaceId)]);
    expect((await usage(person)).totals).toEqual({ ...none, requests: 3, tokens_used: 17 });
    expect(await rows("select count(*) as n from model_use_events where workspace_id = ?", workspaceId)).toEqual([
      { n: 3 },
    ]);
  });

  it("is summed up by weeks from Monday, and read page by page", async () => {
    const person = await signUp();
    const at = (daysAgo: number) => Date.now() - daysAgo * dayMs;
    for (const [daysAgo, tokens] of [
      [0, 1],
      [7, 10],
      [14, 100],
      [20, 1_000],
    ] as const) {
      const work = { id: `day-${daysAgo}`, tokens, model: `m${daysAgo}`, use: { ...counted(tokens), provider: "p" } };
      await chargeTokens(actingAs(person, { nowMs: at(daysAgo) }), work);
    }
    const told = await usage(person, "?days=15&limit=2&offset=1");
    const weeks = new Map<string, number>();
    for (const [daysAgo, tokens] of [
      [0, 1],
      [7, 10],
      [14, 100],
    ] as const) {
      const monday = at(daysAgo) - ((new Date(at(daysAgo)).getUTCDay() + 6) % 7) * dayMs;
      weeks.set(dayName(monday), tokens);
    }
    expect(told.total_tokens).toBe(111);
    expect(
      told.weekly_usage
        .filter(({ tokens_used: tokens }: { tokens_used: number }) => tokens > 0)
        .map((week: { week_start: string; tokens_used: number }) => [week.week_start, week.tokens_used]),
    ).toEqual([...weeks].toReversed());
    expect(told).toMatchObject({ total_records: 3, limit: 2, offset: 1, from: dayName(at(14)) });
    expect(told.records.map(({ model_name: model }: { model_name: string }) => model)).toEqual(["m7", "m14"]);
    for (const query of ["?days=0", "?days=366", "?limit=1001", "?offset=-1", "?scope=all"])
      expect((await person.call("GET", `/v1/tokens/usage${query}`)).status).toBe(422);
  });

  it("is a sub-user's own to the sub-user, and everybody's or one's own to the others", async () => {
    const { parent, child } = await family();
    await parent.call("POST", "/v1/tokens/consume", { body: { tokens: 5, provider: "a", request_type: "chat" } });
    await child.call("POST", "/v1/tokens/consume", { body: { tokens: 3, input_tokens: 2, output_tokens: 1 } });
    expect(await usage(child)).toMatchObject({
      totals: { requests: 1, tokens_used: 3, input_tokens: 2, output_tokens: 1 },
      records: [{ user_id: child.id, provider: "external", request_type: "external" }],
    });
    expect((await usage(child, "?scope=workspace")).total_tokens).toBe(3);
    expect((await usage(parent)).total_tokens).toBe(8);
    expect((await usage(parent, "?scope=me")).total_tokens).toBe(5);
    expect((await usage(await signUp())).total_tokens).toBe(0);
  });
});

function counted(tokens: number) {
  const zeros = { errors: 0, estimated: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0, moneyMicroUsd: 0 };
  return { ...zeros, provider: "", operation: "external", requests: 1, tokens };
}

describe("what is left", () => {
  it("is what the ledger enforces", async () => {
    const person = await signUp();
    await person.call("POST", "/v1/tokens/consume", { body: { tokens: 12_500 } });
    const resets = new Date(monthOf(Date.now()).endMs).toISOString();
    expect((await person.call("GET", "/v1/tokens/balance")).body).toEqual({
      tokens_remaining: 37_500,
      tokens_used: 12_500,
      tokens_reserved: 0,
      monthly_limit: 50_000,
      bonus_tokens: 0,
      usage_percentage: 25,
      reset_date: resets,
      subscription_tier: "free",
      limited_by: "workspace",
    });
    expect((await person.call("GET", "/v1/tokens/limits")).body).toEqual({
      subscription_tier: "free",
      monthly_limit: 50_000,
      tokens_used: 12_500,
      tokens_remaining: 37_500,
      reset_date: resets,
      limits: [
        {
          resource: "tokens",
          scope: "workspace",
          period: "month",
          limit: 50_000,
          used: 12_500,
          reserved: 0,
          remaining: 37_500,
          reset_date: resets,
        },
        {
          resource: "money_micro_usd",
          scope: "workspace",
          period: "month",
          limit: null,
          used: 0,
          reserved: 0,
          remaining: null,
          reset_date: resets,
        },
      ],
      rate_limits: {
        requests_per_minute: 600,
        chat_requests_per_minute: 600,
        batch_requests_per_minute: 600,
        requests_per_hour: null,
        concurrent_requests: null,
      },
    });
  });

  it("has no end without a limit", async () => {
    const person = await signUp();
    await bindings.DB.prepare("update workspaces set plan = 'enterprise' where id = ?").bind(person.workspaceId).run();
    expect((await person.call("GET", "/v1/tokens/balance")).body).toMatchObject({
      tokens_remaining: null,
      monthly_limit: null,
      usage_percentage: null,
      limited_by: null,
      subscription_tier: "enterprise",
    });
    expect((await person.call("POST", "/v1/tokens/reserve", { body: { tokens: 10_000_000 } })).body).toMatchObject({
      reserved_tokens: 10_000_000,
      tokens_remaining: null,
    });
  });
});
