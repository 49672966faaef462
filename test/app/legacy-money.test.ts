/** Every older path of usage, plans and billing: the members that its clients read, each of its type, whatever the newer operation calls them. */
import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { Alias } from "#app/legacy-paths";
import { money } from "#app/legacy/money";
import { chargeUsage } from "#features/usage/service";
import { buy, press } from "#test/features/billing/support";
import { actingAs } from "#test/features/usage/support";
import { call, type Called, type Person, signUp } from "#test/support/harness";

const limit = z.number().nullable();
const time = z.iso.datetime();
const day = z.iso.date();
const whole = z.number().int().min(0);

/** `GET /subscriptions/current` and both paths of its usage. */
const usageOfPlan = {
  usage_limits: z.looseObject({
    monthly_requests: limit,
    monthly_tokens: limit,
    concurrent_requests: limit,
    rate_limit_per_minute: limit,
  }),
  current_usage: z.looseObject({ requests_used: whole, tokens_used: z.literal(2_500), reset_date: time }),
  usage_percentage: z.looseObject({ requests: limit, tokens: z.literal(5) }),
};
const standing = {
  tier: z.enum(["free", "pro", "enterprise"]),
  status: z.enum(["active", "inactive", "cancelled", "past_due"]),
  features: z.array(z.string()).min(1),
};
const changed = z.looseObject({ success: z.literal(true), message: z.string(), ...standing });
const portal = z.looseObject({ success: z.literal(true), portal_url: z.url() });
const plan = z.looseObject({
  id: z.string(),
  name: z.string(),
  display_name: z.string(),
  price_monthly: z.number(),
  monthly_tokens: limit,
  stripe_price_id: z.null(),
  features: z.array(z.string()),
  is_active: z.literal(true),
});

const amounts = {
  apiCalls: whole,
  aiTokens: whole,
  transcriptionMinutes: z.number(),
  processingMinutes: z.number(),
  credits: whole,
  moneyMicroUsd: whole,
};
const history = {
  days: whole,
  from: day,
  to: day,
  items: z.array(z.looseObject({ date: day, storageBytes: whole, ...amounts })).min(1),
  totals: z.looseObject({ ...amounts, aiTokens: z.literal(2_500) }),
};
const report = {
  workspaceId: z.string(),
  reportType: z.enum(["daily", "weekly", "monthly"]),
  periodStart: time,
  periodEnd: time,
  totalUploads: whole,
  totalMinutes: z.number(),
  totalStorage: whole,
  reportData: z.looseObject({
    costs: z.looseObject({ currency: z.literal("usd"), storageMicroUsd: whole, totalMicroUsd: whole }),
    percentUsed: z.record(z.string(), limit),
    growthPercent: z.record(z.string(), limit),
    apiCalls: whole,
    transcriptionMinutes: z.number(),
    aiTokens: z.literal(2_500),
  }),
};
const stats = {
  days: whole,
  totals: z.looseObject({ ...amounts, aiTokens: z.literal(2_500) }),
  dailyAverage: z.record(z.enum(Object.keys(amounts)), z.number()),
  byUser: z.array(z.looseObject({ userId: z.string(), aiTokens: whole })).min(1),
  byKey: z.array(z.looseObject({ keyId: z.string() })),
  byModel: z.array(z.looseObject({ model: z.string() })),
};
const resource = {
  resourceType: z.literal("aiTokens"),
  current: z.literal(2_500),
  limit: z.literal(50_000),
  percentUsed: z.literal(5),
  exceeded: z.literal(false),
  available: z.literal(47_500),
};
const usage = {
  workspaceId: z.string(),
  plan: z.string(),
  period: z.looseObject({ startsAt: time, endsAt: time }),
  usage: z.looseObject({ storage: whole, processing: z.number(), apiCalls: whole, aiTokens: z.literal(2_500) }),
  limits: z.looseObject({ storage: limit, processing: limit, apiCalls: limit, transcription: limit, aiTokens: limit }),
};
/** System D's envelope, with the members beside it as well. */
const enveloped = (members: z.ZodRawShape) =>
  z.looseObject({ success: z.literal(true), timestamp: time, data: z.looseObject(members), ...members });

interface Row {
  answers: z.ZodType;
  /** What has to be true before. */
  before?: (person: Person) => Promise<unknown>;
  body?: Record<string, unknown>;
  /** Beyond the members. */
  also?: (answer: Called, person: Person) => Promise<void> | void;
}

const paying: Row["before"] = (person) => buy(person, "pro");
const payingMuch: Row["before"] = (person) => buy(person, "enterprise");
const upgrade: Row = {
  before: paying,
  body: { plan_name: "enterprise" },
  answers: changed,
  also: ({ body }) => expect(body.tier).toBe("enterprise"),
};
const downgrade: Row = {
  before: payingMuch,
  body: { plan_name: "pro" },
  answers: changed,
  // What is paid for stays until its end.
  also: ({ body }) => expect([body.tier, body.subscription.pendingChange.plan]).toEqual(["enterprise", "pro"]),
};
const manage: Row = { answers: portal };

const rows: Record<string, Row> = {
  "GET /subscriptions/plans": { answers: z.array(plan).length(3) },
  "GET /subscriptions/plans/compare": {
    answers: z.looseObject({
      plans: z
        .array(z.looseObject({ name: z.string(), display_name: z.string(), price_monthly: z.number() }))
        .length(3),
      features: z.array(z.looseObject({ name: z.string(), free: limit, pro: limit, enterprise: limit })),
    }),
  },
  "GET /subscriptions/current": { answers: z.looseObject({ ...standing, ...usageOfPlan }) },
  "GET /subscriptions/usage": { answers: z.looseObject({ tier: standing.tier, ...usageOfPlan }) },
  "GET /subscriptions/upgrade-options": {
    answers: z.looseObject({
      current_plan: z.literal("free"),
      options: z.array(z.looseObject({ plan: z.string(), display_name: z.string(), monthly_tokens: limit })).min(1),
    }),
  },
  "GET /subscriptions/payment-methods": {
    before: paying,
    answers: z.looseObject({
      items: z.array(z.looseObject({ id: z.string(), lastFour: z.literal("4242") })).length(1),
    }),
  },
  "GET /subscriptions/invoices": {
    before: payingMuch,
    answers: z.looseObject({
      items: z
        .array(z.looseObject({ id: z.string(), status: z.literal("paid"), amountPaidMicroUsd: z.literal(99_990_000) }))
        .length(1),
      nextCursor: z.null(),
    }),
  },
  "POST /subscriptions/checkout": {
    body: { plan_name: "pro" },
    answers: z.looseObject({ checkout_url: z.url(), id: z.string() }),
  },
  "POST /subscriptions/subscribe": {
    body: { plan_name: "pro" },
    answers: z.looseObject({
      success: z.literal(true),
      checkout_url: z.url(),
      session_id: z.string(),
      client_secret: z.null(),
    }),
    async also({ body }) {
      expect((await press(body.checkout_url, { action: "pay", choice: "visa" })).status).toBe(303);
    },
  },
  "PUT /subscriptions/upgrade": upgrade,
  "POST /subscriptions/upgrade": upgrade,
  "PUT /subscriptions/downgrade": downgrade,
  "POST /subscriptions/downgrade": downgrade,
  "POST /subscriptions/cancel": {
    before: paying,
    body: {},
    answers: changed,
    // Not "cancelled" at once, as the older system said.
    also: ({ body }) => expect([body.status, body.subscription.cancelAtPeriodEnd]).toEqual(["active", true]),
  },
  "POST /subscriptions/portal": manage,
  "POST /subscriptions/billing-portal": manage,
  "POST /subscriptions/manage": manage,
  "POST /billing/portal": manage,
  "POST /billing/manage": manage,
  "GET /usage/stats": { answers: z.looseObject({ tier: standing.tier, ...usageOfPlan }) },
  "GET /api/usage/history": { answers: enveloped(history) },
  "GET /api/usage/report": { answers: enveloped(report) },
  "GET /api/usage/stats": { answers: enveloped(stats) },
  "GET /api/usage/:ws": { answers: enveloped(usage) },
  "GET /api/usage/:ws/report": { answers: enveloped(report) },
  "GET /api/usage/:ws/history": { answers: enveloped(history) },
  "GET /api/usage/:ws/quota/:type": { answers: enveloped(resource) },
};

const nameOf = ({ method, from }: Alias) => `${method} ${from}`;

async function ask(person: Person, { method, from }: Alias, body?: Record<string, unknown>): Promise<Called> {
  const path = from.replace(":ws", person.workspaceId).replace(":type", "aiTokens");
  return person.call(method, path, method === "GET" ? {} : { body: body ?? {} });
}

describe("the older paths of money", () => {
  it("are all here, and each once", () => {
    expect(money.map(nameOf).sort()).toEqual(Object.keys(rows).sort());
  });

  it.each(money.map((alias) => [nameOf(alias), alias] as const))("%s", async (name, alias) => {
    const row = rows[name];
    if (!row) throw new Error("no row");
    const person = await signUp();
    await chargeUsage(actingAs(person), { reservationId: "a", amounts: { aiTokens: 2_500 } });
    await row.before?.(person);
    const answer = await ask(person, alias, row.body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    const read = row.answers.safeParse(answer.body);
    expect(read.error?.issues ?? [], JSON.stringify(answer.body)).toEqual([]);
    await row.also?.(answer, person);
  });

  it.each(money.filter(({ from }) => from.includes(":ws")).map((alias) => [nameOf(alias), alias] as const))(
    "%s of a foreign workspace is the same 404 as of an unknown one",
    async (_, alias) => {
      const [person, owner] = [await signUp(), await signUp()];
      const answers = [owner.workspaceId, "wks_00000000000000000000000000"].map(async (workspaceId) => {
        const { status, body } = await ask({ ...person, workspaceId }, alias);
        return { status, code: body.code, success: body.success, detail: body.detail };
      });
      const [foreign, unknown] = await Promise.all(answers);
      expect(foreign).toEqual(unknown);
      expect(foreign).toMatchObject({ status: 404, success: false, code: "workspace-not-found" });
    },
  );

  it("that cost or tell something ask who is there", async () => {
    const open = ["GET /subscriptions/plans", "GET /subscriptions/plans/compare"];
    for (const alias of money.filter((one) => !open.includes(nameOf(one)))) {
      const path = alias.from.replace(":ws", "wks_00000000000000000000000000").replace(":type", "aiTokens");
      const { status, body } = await call(
        alias.method,
        path,
        alias.method === "GET" ? {} : { body: { plan_name: "pro" } },
      );
      expect(status, nameOf(alias)).toBe(401);
      expect(body.success, nameOf(alias)).toBe(false);
    }
  });

  it("refuse an unknown resource, and count nothing of what was refused", async () => {
    const person = await signUp();
    const path = `/api/usage/${person.workspaceId}`;
    expect(await person.call("GET", `${path}/quota/patience`)).toMatchObject({ status: 422, body: { success: false } });
    const everything = { reservationId: "all", amounts: { aiTokens: 50_001 } };
    await expect(chargeUsage(actingAs(person), everything)).rejects.toMatchObject({ code: "quota-exceeded" });
    const { body } = await person.call("GET", `${path}/quota/aiTokens`);
    expect(body).toMatchObject({ current: 0, available: 50_000, exceeded: false });
  });
});
