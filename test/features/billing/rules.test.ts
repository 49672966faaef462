/** What is refused, and that nothing changed then: roles, foreign pages, limits, second subscriptions, declined cards, no Stripe. */
import { describe, expect, it } from "vitest";
import { plans } from "#core/plans";
import { bindings, call, type Called, overrideLimits, type Person, signUp } from "#test/support/harness";
import { advance, audited, buy, current, customerOf, press, runJobs } from "./support.ts";

async function join(person: Person, role: string): Promise<Person> {
  const other = await signUp();
  await bindings.DB.prepare(
    "insert into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, ?, 0)",
  )
    .bind(person.workspaceId, other.userId, role)
    .run();
  return other;
}

const inside = (person: Person, workspace: Person, method: string, path: string, body?: object): Promise<Called> =>
  person.call(method, path, { headers: { "x-workspace-id": workspace.workspaceId }, ...(body ? { body } : {}) });

describe("plans", () => {
  it("are shown to everybody, with prices and limits", async () => {
    const { body } = await call("GET", "/v1/subscriptions/plans");
    expect(body.plans.map(({ name }: { name: string }) => name)).toEqual(["free", "pro", "enterprise"]);
    expect(body.plans[1]).toMatchObject({
      price_monthly: 29.99,
      price_yearly: 287.9,
      monthly_tokens: 1_000_000,
      trialDays: 14,
    });
    const compared = (await call("GET", "/v1/subscriptions/plans/compare")).body;
    expect(compared.features.find(({ name }: { name: string }) => name === "members")).toMatchObject({
      free: 3,
      pro: 10,
      enterprise: null,
    });
    const bare = await call("GET", "/subscriptions/plans");
    expect(bare.body).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: "pro", display_name: "Pro", price_monthly: 29.99 })]),
    );
  });
});

describe("money", () => {
  it("is the owner's: admins may look, members may see the plan only", async () => {
    const owner = await signUp();
    const admin = await join(owner, "admin");
    const member = await join(owner, "member");
    expect((await inside(admin, owner, "GET", "/v1/subscriptions/invoices")).status).toBe(200);
    expect((await inside(admin, owner, "POST", "/v1/subscriptions/checkout", { plan: "pro" })).status).toBe(403);
    expect((await inside(member, owner, "GET", "/v1/subscriptions/invoices")).status).toBe(403);
    expect((await inside(member, owner, "GET", "/v1/subscriptions/current")).status).toBe(200);
    expect(await customerOf(owner)).toBe("");
  });

  it("of parallel first calls is one customer's", async () => {
    const person = await signUp();
    const opened = await Promise.all(
      Array.from({ length: 6 }, () =>
        person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "enterprise" } }),
      ),
    );
    expect(opened.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
    const rows = await bindings.DB.prepare("select id from sandbox_stripe_books where data like ?")
      .bind(`%"email":"${person.email.slice(0, 30)}%`)
      .all();
    expect(rows.results.length).toBe(1);
  });

  it("leads nobody to a stranger's page", async () => {
    const person = await signUp();
    for (const body of [
      { plan: "pro", success_url: "https://evil.example.com/" },
      { plan: "pro", cancelUrl: "http://127.0.0.1.evil.example.com/" },
    ])
      expect(await person.call("POST", "/v1/subscriptions/checkout", { body })).toMatchObject({
        status: 422,
        body: { code: "return-url-not-allowed" },
      });
    const portal = await person.call("POST", "/v1/subscriptions/portal", {
      body: { return_url: "https://evil.example.com" },
    });
    expect(portal).toMatchObject({ status: 422, body: { code: "return-url-not-allowed" } });
    expect(await customerOf(person)).toBe("");
  });

  it("is not taken twice, and a declined card buys nothing", async () => {
    const person = await signUp();
    const opened = await person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "pro" } });
    expect((await press(opened.body.checkout_url, { action: "decline" })).status).toBe(402);
    expect((await press(opened.body.checkout_url, { action: "cancel" })).headers.get("location")).toContain(
      "checkout=cancelled",
    );
    await runJobs(person.workspaceId);
    expect((await current(person)).tier).toBe("free");
    const again = await person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "pro" } });
    expect(again.body.id).toBe(opened.body.id);
    expect((await press(again.body.checkout_url, { action: "pay", choice: "visa" })).status).toBe(303);
    expect((await press(again.body.checkout_url, { action: "pay", choice: "visa" })).status).toBe(303);
    await runJobs(person.workspaceId);
    expect(await person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "enterprise" } })).toMatchObject({
      status: 409,
      body: { code: "subscription-exists" },
    });
  });

  it("is not moved by a body that says who pays or what is due", async () => {
    const person = await signUp();
    for (const body of [
      { plan: "pro", credits: 5 },
      { plan: "pro", limits: {} },
      { plan: "pro", subscription_tier: "enterprise" },
    ])
      expect(await person.call("POST", "/v1/subscriptions/checkout", { body })).toMatchObject({
        status: 422,
        body: { code: "server-owned-member" },
      });
    for (const body of [
      {},
      { plan: "gold" },
      { plan: "pro", plan_name: "enterprise" },
      { plan: "pro", interval: "week" },
    ])
      expect((await person.call("POST", "/v1/subscriptions/checkout", { body })).status).toBe(422);
    expect((await person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "free" } })).body.code).toBe(
      "not-an-upgrade",
    );
  });
});

describe("a change", () => {
  it("without a subscription, in the wrong direction or to the same plan is refused", async () => {
    const person = await signUp();
    for (const act of ["upgrade", "downgrade"])
      expect(await person.call("POST", `/v1/subscriptions/${act}`, { body: { plan: "pro" } })).toMatchObject({
        status: 409,
        body: { code: "subscription-required" },
      });
    expect((await person.call("POST", "/v1/subscriptions/cancel")).body.code).toBe("subscription-required");
    await buy(person, "pro");
    for (const plan of ["pro", "free"])
      expect((await person.call("POST", "/v1/subscriptions/upgrade", { body: { plan } })).body.code).toBe(
        "not-an-upgrade",
      );
    for (const plan of ["pro", "enterprise"])
      expect((await person.call("POST", "/v1/subscriptions/downgrade", { body: { plan } })).body.code).toBe(
        "not-a-downgrade",
      );
    const { body: options } = await person.call("GET", "/v1/subscriptions/upgrade-options");
    expect(
      options.options.map(
        ({ plan, interval, direction }: Record<string, string>) => `${direction} ${plan} ${interval}`,
      ),
    ).toEqual(["downgrade free month", "upgrade pro year", "upgrade enterprise month", "upgrade enterprise year"]);
    expect((await audited(person.workspaceId)).filter((action) => action !== "subscription.changed")).toEqual([
      "subscription.checkout-started",
    ]);
  });

  it("up that the bank declines changes nothing, and what was agreed for later still holds", async () => {
    const person = await signUp();
    await buy(person, "enterprise", { card: "later" });
    await person.call("POST", "/v1/subscriptions/downgrade", { body: { plan: "pro" } });
    const declined = await person.call("POST", "/v1/subscriptions/upgrade", {
      body: { plan: "enterprise", interval: "year" },
    });
    expect(declined).toMatchObject({
      status: 402,
      body: { code: "payment-declined", declineCode: "insufficient_funds" },
    });
    await runJobs(person.workspaceId);
    expect(await current(person)).toMatchObject({
      tier: "enterprise",
      subscription: { interval: "month", pendingChange: { plan: "pro", interval: "month" } },
    });
  });

  it("down is refused while more people belong to the workspace than the lower plan allows", async () => {
    const person = await signUp();
    await buy(person, "enterprise");
    for (let count = 0; count < 10; count += 1) await join(person, "viewer");
    const before = { standing: await current(person), trail: await audited(person.workspaceId) };
    const refused = await person.call("POST", "/v1/subscriptions/downgrade", { body: { plan: "pro" } });
    expect(refused).toMatchObject({
      status: 409,
      body: { code: "downgrade-below-use", over: [{ resource: "members", used: 11, limit: 10 }] },
    });
    await runJobs(person.workspaceId);
    expect({ standing: await current(person), trail: await audited(person.workspaceId) }).toEqual(before);
    expect(before.standing.subscription.pendingChange).toBeNull();
    await overrideLimits(person.workspaceId, { members: 50 });
    expect((await person.call("POST", "/v1/subscriptions/downgrade", { body: { plan: "pro" } })).status).toBe(200);
  });

  it("repeated with its idempotency key happens once", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const headers = { "idempotency-key": crypto.randomUUID() };
    const ask = () => person.call("POST", "/v1/subscriptions/upgrade", { body: { plan: "enterprise" }, headers });
    const [first, second] = [await ask(), await ask()];
    expect(second).toMatchObject({ status: 200, body: first.body });
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    const bills = await person.call("GET", "/v1/subscriptions/invoices");
    expect(
      bills.body.items.filter(({ amountPaidMicroUsd }: { amountPaidMicroUsd: number }) => amountPaidMicroUsd > 0)
        .length,
    ).toBe(1);
  });

  it("up is charged once, however many ask at the same moment", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const ask = (plan: string, interval: string) =>
      person.call("POST", "/v1/subscriptions/upgrade", { body: { plan, interval } });
    const answers = await Promise.all([
      ask("enterprise", "month"),
      ask("enterprise", "year"),
      ask("enterprise", "month"),
      ask("pro", "year"),
    ]);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    for (const { status, body } of answers)
      if (status !== 200) expect(["billing-refused", "not-an-upgrade"]).toContain(body.code);
    await runJobs(person.workspaceId);
    const { body: bills } = await person.call("GET", "/v1/subscriptions/invoices");
    const paid = bills.items.filter(({ amountPaidMicroUsd: amount }: { amountPaidMicroUsd: number }) => amount > 0);
    expect(paid).toHaveLength(1);
    const { plan, interval } = (await current(person)).subscription;
    expect(plans[plan as "pro"][interval === "year" ? "yearlyMicroUsd" : "monthlyMicroUsd"]).toBe(
      paid[0].amountPaidMicroUsd,
    );
  });

  it("up that was declined may be tried again with another card", async () => {
    const person = await signUp();
    await buy(person, "pro", { card: "later" });
    const ask = () => person.call("POST", "/v1/subscriptions/upgrade", { body: { plan: "enterprise" } });
    expect(await ask()).toMatchObject({ status: 402, body: { code: "payment-declined" } });
    expect((await current(person)).subscription).toMatchObject({ plan: "pro", state: "trialing" });
    const { body: portal } = await person.call("POST", "/v1/subscriptions/portal");
    await press(portal.portal_url, { action: "card", choice: "visa" });
    expect(await ask()).toMatchObject({ status: 200, body: { subscription: { plan: "enterprise", state: "active" } } });
  });

  it("of the interval is an upgrade to the year and a downgrade to the month", async () => {
    const person = await signUp();
    await buy(person, "pro");
    await advance(person, "period-end");
    const year = await person.call("POST", "/v1/subscriptions/upgrade", { body: { plan: "pro", interval: "year" } });
    expect(year.body.subscription).toMatchObject({ plan: "pro", interval: "year", state: "active" });
    const month = await person.call("POST", "/v1/subscriptions/downgrade", {
      body: { plan: "pro", interval: "month" },
    });
    expect(month.body.subscription.pendingChange).toMatchObject({ plan: "pro", interval: "month" });
  });
});

describe("without Stripe", () => {
  it("a live deployment sells nothing and says so, and still shows the plans", async () => {
    const person = await signUp();
    const env = { ...bindings, ENVIRONMENT: "production", OUTBOUND_TENANT_ALLOW: "", CHECK_RESPONSES: "off" };
    for (const [method, path, body] of [
      ["POST", "checkout", { plan: "pro" }],
      ["POST", "portal", {}],
      ["POST", "upgrade", { plan: "pro" }],
      ["POST", "cancel", {}],
      ["GET", "invoices", undefined],
    ] as const)
      expect(await person.call(method, `/v1/subscriptions/${path}`, { env, body })).toMatchObject({
        status: 503,
        body: { code: "billing-not-configured" },
      });
    expect((await call("GET", "/v1/subscriptions/plans", { env })).body).toMatchObject({
      billingConfigured: false,
      sandbox: false,
    });
    expect((await person.call("GET", "/v1/subscriptions/current", { env })).body).toMatchObject({
      tier: "free",
      sandbox: false,
    });
  });

  it("and without the sandbox there is no simulator either", async () => {
    const env = { ...bindings, SANDBOX: "off" };
    expect((await call("GET", "/__sandbox/style.css", { env })).status).toBe(404);
    expect((await call("GET", "/__sandbox/style.css")).status).toBe(200);
    expect((await call("GET", "/v1/subscriptions/plans", { env })).body.billingConfigured).toBe(false);
  });
});
