/** From the checkout page to the end of the subscription, as a person and their browser go through it. */
import { describe, expect, it } from "vitest";
import { bindings, type Person, signUp } from "#test/support/harness";
import { advance, audited, buy, current, customerOf, press, runJobs, show, stripe } from "./support.ts";

describe("a subscription", () => {
  it("is bought on a page, counts once the payment is confirmed, grows, shrinks with the period and ends with it", async () => {
    const person = await signUp();
    expect(await current(person)).toMatchObject({ tier: "free", status: "active", subscription: null, sandbox: true });

    const opened = await person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "pro", surplus: 1 } });
    expect(opened).toMatchObject({ status: 200, body: { plan: "pro", interval: "month", sandbox: true } });
    const page = await show(opened.body.checkout_url);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toMatch(/default-src 'none'.*form-action 'self'/);
    expect(new TextDecoder().decode(page.bytes)).toMatch(/Sandbox.*14 days to try/s);
    expect(new TextDecoder().decode(page.bytes)).not.toContain("<script");
    expect((await current(person)).tier).toBe("free");

    const paid = await press(opened.body.checkout_url, { action: "pay", choice: "visa" });
    expect(paid.status).toBe(303);
    expect(paid.headers.get("location")).toBe("http://127.0.0.1:8787/console/billing?checkout=done");
    await runJobs(person.workspaceId);
    expect(await current(person)).toMatchObject({
      tier: "pro",
      status: "active",
      usage_limits: { monthly_requests: 30_000, monthly_tokens: 1_000_000, rate_limit_per_minute: 100 },
      subscription: { plan: "pro", state: "trialing", cancelAtPeriodEnd: false },
    });

    await advance(person, "period-end");
    expect((await current(person)).subscription).toMatchObject({ state: "active" });

    const up = await person.call("POST", "/v1/subscriptions/upgrade", { body: { plan_name: "enterprise" } });
    expect(up).toMatchObject({ status: 200, body: { tier: "enterprise", subscription: { plan: "enterprise" } } });
    const { body: bills } = await person.call("GET", "/v1/subscriptions/invoices");
    expect(bills.items.length).toBe(3);
    expect(bills.items[0]).toMatchObject({ status: "paid", currency: "USD" });
    // The whole period is left, so the difference of the two prices is due.
    expect(Math.abs(bills.items[0].amountPaidMicroUsd - 70_000_000)).toBeLessThan(100_000);

    const down = await person.call("POST", "/v1/subscriptions/downgrade", { body: { plan: "pro" } });
    expect(down).toMatchObject({
      status: 200,
      body: { tier: "enterprise", subscription: { plan: "enterprise", pendingChange: { plan: "pro" } } },
    });
    await advance(person, "period-end");
    expect(await current(person)).toMatchObject({ tier: "pro", subscription: { plan: "pro", pendingChange: null } });

    const cancelled = await person.call("POST", "/v1/subscriptions/cancel");
    expect(cancelled).toMatchObject({
      status: 200,
      body: { tier: "pro", status: "active", subscription: { cancelAtPeriodEnd: true, state: "active" } },
    });
    await advance(person, "period-end");
    expect(await current(person)).toMatchObject({
      tier: "free",
      status: "cancelled",
      subscription: { state: "ended" },
    });
    expect(await audited(person.workspaceId)).toEqual(
      expect.arrayContaining([
        "subscription.checkout-started",
        "subscription.changed",
        "subscription.upgraded",
        "subscription.downgraded",
        "subscription.cancelled",
      ]),
    );
  }, 60_000);

  it("is tried once: the second one is paid from the first day", async () => {
    const person = await signUp();
    await buy(person, "pro");
    expect((await current(person)).subscription.state).toBe("trialing");
    await person.call("POST", "/v1/subscriptions/cancel");
    await advance(person, "period-end");
    expect((await current(person)).tier).toBe("free");
    await buy(person, "pro");
    expect((await current(person)).subscription).toMatchObject({ state: "active", trialEndsAt: null });
  });

  it("that is not paid keeps its plan for seven days, and gets it back with a new card", async () => {
    const person = await signUp();
    await buy(person, "enterprise", { card: "later" });
    expect((await current(person)).tier).toBe("enterprise");
    await advance(person, "period-end");
    const late = await current(person);
    expect(late).toMatchObject({ tier: "enterprise", status: "past_due", subscription: { state: "past-due" } });
    await age(person);
    await tickHourly();
    await runJobs(person.workspaceId);
    expect(await current(person)).toMatchObject({ tier: "free", status: "past_due" });

    const { body: portal } = await person.call("POST", "/v1/subscriptions/portal");
    expect((await press(portal.portal_url, { action: "card", choice: "visa" })).status).toBe(303);
    await runJobs(person.workspaceId);
    expect(await current(person)).toMatchObject({
      tier: "enterprise",
      status: "active",
      subscription: { graceEndsAt: null },
    });
    const { body: cards } = await person.call("GET", "/v1/subscriptions/payment-methods");
    expect(cards.items.find(({ isDefault }: { isDefault: boolean }) => isDefault)).toMatchObject({ lastFour: "4242" });
  });

  it("that is never paid ends by itself", async () => {
    const person = await signUp();
    await buy(person, "enterprise", { card: "later" });
    await advance(person, "period-end");
    await advance(person, { days: 22 });
    expect(await current(person)).toMatchObject({ tier: "free", status: "cancelled" });
  });

  it("follows what is done on the portal", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const { body: portal } = await person.call("POST", "/v1/subscriptions/portal");
    await press(portal.portal_url, { action: "cancel" });
    await runJobs(person.workspaceId);
    expect((await current(person)).subscription.cancelAtPeriodEnd).toBe(true);
    await press(portal.portal_url, { action: "resume" });
    await runJobs(person.workspaceId);
    expect((await current(person)).subscription.cancelAtPeriodEnd).toBe(false);
    const text = new TextDecoder().decode((await show(portal.portal_url)).bytes);
    expect(text).toContain("overtone_pro_month: trialing");
  });
});

describe("the simulated Stripe", () => {
  it("asks for its key, lists by pages and expands", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const customer = await customerOf(person);
    expect((await stripe("GET", `customers/${customer}`)).body.email).toBe(person.email);
    const stranger = await person.call("GET", `/__sandbox/stripe/v1/customers/${customer}`);
    expect(stranger.status).toBe(401);
    await advance(person, "period-end");
    await advance(person, "period-end");
    const first = await stripe("GET", `invoices?customer=${customer}&limit=2`);
    expect(first.body).toMatchObject({ object: "list", has_more: true });
    const second = await stripe("GET", `invoices?customer=${customer}&limit=2&starting_after=${first.body.data[1].id}`);
    expect(second.body).toMatchObject({ has_more: false, data: [{ billing_reason: "subscription_create" }] });
    const expanded = await stripe("GET", `subscriptions?customer=${customer}&expand[]=data.latest_invoice`);
    expect(expanded.body.data[0].latest_invoice).toMatchObject({ object: "invoice", status: "paid" });
    expect((await stripe("GET", "nothing")).body.error.type).toBe("invalid_request_error");
  });
});

/** Makes what is unpaid eight days old, at Stripe and in our copy. */
async function age(person: Person): Promise<void> {
  const customer = await customerOf(person);
  const since = Math.floor(Date.now() / 1_000) - 8 * 86_400;
  const row = await bindings.DB.prepare("select data from sandbox_stripe_books where id = ?")
    .bind(customer)
    .first<{ data: string }>();
  const book = JSON.parse(row?.data ?? "{}");
  for (const invoice of book.invoices) if (invoice.status === "open") invoice.status_transitions.finalized_at = since;
  await bindings.DB.batch([
    bindings.DB.prepare("update sandbox_stripe_books set data = ? where id = ?").bind(JSON.stringify(book), customer),
    bindings.DB.prepare("update billing_accounts set overdue_since = ? where customer_id = ?").bind(
      since * 1_000,
      customer,
    ),
  ]);
}

async function tickHourly(): Promise<void> {
  const { tick } = await import("#app/cron");
  const { createExecutionContext, waitOnExecutionContext } = await import("cloudflare:test");
  const execution = createExecutionContext();
  await tick({ cron: "17 * * * *", scheduledTime: Date.now(), noRetry: () => undefined } as never, bindings, execution);
  await waitOnExecutionContext(execution);
}
