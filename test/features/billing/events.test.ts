/** Stripe's events are hints: signed, told once, and never believed about anything but that something changed. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { tick } from "#app/cron";
import { runJob } from "#app/run-job";
import { readSubscriptionJob } from "#features/billing/jobs/read-subscription";
import { signatureOf } from "#sandbox/stripe/deliver";
import { rows } from "#test/features/usage/support";
import { bindings, call, type Called, type Person, signUp, systemContext } from "#test/support/harness";
import { advance, audited, buy, current, customerOf, runJobs, secrets, stripe } from "./support.ts";

const path = "/v1/subscriptions/webhooks/stripe";
const now = () => Math.floor(Date.now() / 1_000);

function send(body: string, signature: string | null): Promise<Called> {
  return call("POST", path, {
    body,
    headers: { "content-type": "application/json", ...(signature === null ? {} : { "stripe-signature": signature }) },
  });
}

const signed = (body: string, at = now()) => send(body, signatureOf(secrets().webhookSecret, body, at));

function eventOf(customer: string, change: Record<string, unknown> = {}): string {
  const object = { object: "subscription", id: "sub_x", customer, status: "active" };
  return JSON.stringify({
    id: `evt_${crypto.randomUUID().replaceAll("-", "")}`,
    object: "event",
    type: "customer.subscription.updated",
    created: now(),
    livemode: false,
    data: { object },
    ...change,
  });
}

async function eventsKept(person: Person): Promise<number> {
  const row = await bindings.DB.prepare("select count(*) as kept from billing_events where workspace_id = ?")
    .bind(person.workspaceId)
    .first<{ kept: number }>();
  return row?.kept ?? 0;
}

describe("an event", () => {
  it("without a true and fresh signature over its bytes is refused, and nothing of it is kept", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const before = await eventsKept(person);
    const body = eventOf(await customerOf(person));
    const { webhookSecret } = secrets();
    const good = signatureOf(webhookSecret, body, now());
    const attempts: [string, string | null][] = [
      [body, null],
      [body, ""],
      [body, "t=1"],
      [body, signatureOf("whsec_guess", body, now())],
      [body, signatureOf(webhookSecret, body, now() - 301)],
      [body.replace("active", "canceled"), good],
      [`${body} `, good],
      [body, good.replace("v1=", "v0=")],
      [body, `${good.slice(0, -1)}${good.endsWith("0") ? "1" : "0"}`],
      [body, "v1=".repeat(2_000)],
    ];
    for (const [text, signature] of attempts)
      expect(await send(text, signature)).toMatchObject({ status: 400, body: { code: "payment-event-unsigned" } });
    expect(await eventsKept(person)).toBe(before);
    expect((await send("x".repeat(600_000), good)).status).toBe(413);
    expect((await send(body, good)).body).toEqual({ received: true, duplicate: false });
  });

  it("that is repeated does nothing, even when both arrive at once", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const before = await eventsKept(person);
    const body = eventOf(await customerOf(person));
    const answers = await Promise.all(Array.from({ length: 8 }, () => signed(body)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(answers.filter((answer) => !answer.body.duplicate).length).toBe(1);
    expect(await eventsKept(person)).toBe(before + 1);
    const jobs = await bindings.DB.prepare(
      "select count(*) as made from jobs where workspace_id = ? and name = 'billing.read-subscription' and state = 'queued'",
    )
      .bind(person.workspaceId)
      .first<{ made: number }>();
    expect(jobs?.made).toBeLessThanOrEqual(1);
  });

  it("in a shower of others is looked at by one job that waits, and each of them is", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const { workspaceId } = person;
    const customer = await customerOf(person);
    const made = () =>
      rows("select id from jobs where workspace_id = ? and name = 'billing.read-subscription'", workspaceId);
    const waiting = () =>
      rows("select id from billing_events where workspace_id = ? and processed_at is null", workspaceId);
    const ctx = systemContext();
    const job = readSubscriptionJob.row({ ...ctx, workspaceId }, { forEvents: true });
    // Nobody is told of it: it waits until this test runs it.
    await ctx.db.batch([job.statement as never]);
    const before = (await made()).length;
    for (let count = 0; count < 45; count += 1) expect((await signed(eventOf(customer))).body.duplicate).toBe(false);
    expect((await made()).length).toBe(before);
    expect((await waiting()).length).toBe(45);
    await runJob(ctx, job.jobId);
    expect(await waiting()).toEqual([]);
    await signed(eventOf(customer));
    expect((await made()).length).toBe(before + 1);
  });

  it("waits for no job that was put off to a later time", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const { workspaceId } = person;
    const ctx = systemContext();
    const job = readSubscriptionJob.row({ ...ctx, workspaceId }, { forEvents: true });
    await ctx.db.batch([job.statement as never]);
    await bindings.DB.prepare("update jobs set run_at = ? where id = ?")
      .bind(Date.now() + 600_000, job.jobId)
      .run();
    await signed(eventOf(await customerOf(person)));
    const others = "select id from jobs where workspace_id = ? and name = 'billing.read-subscription' and id > ?";
    expect(await rows(others, workspaceId, job.jobId)).toHaveLength(1);
  });

  it("is not believed: what it says of the subscription is read from Stripe", async () => {
    const person = await signUp();
    const other = await signUp();
    await buy(person, "pro");
    await buy(other, "pro");
    const trail = await audited(person.workspaceId);
    const customer = await customerOf(person);
    const canceled = { object: { object: "subscription", id: "sub_x", customer, status: "canceled" } };
    await signed(eventOf(customer, { data: canceled, type: "customer.subscription.deleted" }));
    const { body: list } = await stripe("GET", `invoices?customer=${await customerOf(other)}`);
    // Another workspace's invoice under this one's name.
    await signed(
      eventOf(customer, {
        type: "invoice.payment_failed",
        data: { object: { object: "invoice", id: list.data[0].id, customer, status: "open" } },
      }),
    );
    await runJobs(person.workspaceId);
    expect((await current(person)).subscription.state).toBe("trialing");
    expect(await audited(person.workspaceId)).toEqual(trail);
    const kept = await bindings.DB.prepare("select workspace_id from billing_invoices where id = ?")
      .bind(list.data[0].id)
      .all<{ workspace_id: string }>();
    expect(kept.results.map((row) => row.workspace_id)).not.toContain(person.workspaceId);
  });

  it("of a stranger's customer is taken and changes nothing", async () => {
    const body = eventOf("cus_00000000000000");
    expect((await signed(body)).body).toEqual({ received: true, duplicate: false });
    expect((await signed(body)).body).toEqual({ received: true, duplicate: true });
  });

  it("may come in any order", async () => {
    const person = await signUp();
    await buy(person, "pro");
    await advance(person, "period-end");
    await person.call("POST", "/v1/subscriptions/upgrade", { body: { plan: "enterprise" } });
    const before = await current(person);
    const customer = await customerOf(person);
    const { results } = await bindings.DB.prepare(
      "select body from sandbox_stripe_events where body like ? order by id desc",
    )
      .bind(`%"customer":"${customer}"%`)
      .all<{ body: string }>();
    expect(results.length).toBeGreaterThan(5);
    for (const { body } of results) await signed(body.replace('"id":"evt_', '"id":"evt_late'));
    await runJobs(person.workspaceId);
    expect((await current(person)).subscription).toEqual(before.subscription);
  });
});

describe("what was lost", () => {
  it("is found by the nightly reading", async () => {
    const person = await signUp();
    await buy(person, "pro");
    const customer = await customerOf(person);
    await bindings.DB.batch([
      bindings.DB.prepare(
        "update billing_accounts set read_at = 0, state = 'active', plan = 'enterprise', granted_plan = 'enterprise' where customer_id = ?",
      ).bind(customer),
      bindings.DB.prepare("update workspaces set plan = 'enterprise' where id = ?").bind(person.workspaceId),
    ]);
    const execution = createExecutionContext();
    await tick(
      { cron: "10 2 * * *", scheduledTime: Date.now(), noRetry: () => undefined } as never,
      bindings,
      execution,
    );
    await waitOnExecutionContext(execution);
    await runJobs(person.workspaceId);
    expect(await current(person)).toMatchObject({ tier: "pro", subscription: { plan: "pro", state: "trialing" } });
  });
});

describe("a payment company that misbehaves", () => {
  async function named(fault: string): Promise<Person> {
    const person = await signUp();
    await bindings.DB.prepare("update users set email = ? where id = ?")
      .bind(`${crypto.randomUUID()}+${fault}@example.com`, person.userId)
      .run();
    return person;
  }

  it("and did what was asked but lost its reply is asked again, and nothing happens twice", async () => {
    const person = await named("reply-lost");
    await buy(person, "enterprise");
    const { body: list } = await stripe("GET", `subscriptions?customer=${await customerOf(person)}`);
    expect(list.data.length).toBe(1);
    expect((await current(person)).tier).toBe("enterprise");
  });

  it.each(["rate-limited", "unavailable"])("and is %s answers 503 with a time to wait", async (fault) => {
    const person = await named(fault);
    const answer = await person.call("POST", "/v1/subscriptions/checkout", { body: { plan: "pro" } });
    expect(answer).toMatchObject({ status: 503, body: { code: "billing-unavailable" } });
    expect(answer.headers.get("retry-after")).toBe("10");
    expect(await customerOf(person)).toBe("");
  });
});
