/** Plans and subscriptions of system C, on the paths of its clients, paid on the simulated Stripe's page. */
import type { LegacyPerson } from "./accounts.ts";
import { checkMembers, type Json, type LegacyClient } from "./client.ts";

const settleMs = 15_000;

export async function replaySubscriptions(client: LegacyClient, url: string, { token }: LegacyPerson): Promise<void> {
  const plans = await client.call("GET", "/subscriptions/plans", 200);
  client.check(Array.isArray(plans.body) && plans.body.length === 3, "shape: the plans are not a bare array of three");
  for (const plan of (plans.body ?? []) as Json[])
    checkMembers(client, "plan", plan, {
      name: "string",
      display_name: "string",
      price_monthly: "number",
      monthly_tokens: "number|null",
    });
  await client.call("GET", "/subscriptions/plans/compare", 200);
  await client.call("GET", "/subscriptions/upgrade-options", 200, { token });
  const usage = await client.call("GET", "/subscriptions/usage", 200, { token });
  checkMembers(client, "usage", usage.body, {
    usage_limits: "object",
    current_usage: "object",
    usage_percentage: "object",
  });
  await client.call("PUT", "/subscriptions/upgrade", 409, { token, body: { plan_name: "pro" } });
  await client.call("POST", "/subscriptions/subscribe", 422, { token, body: { plan_name: "pro", role: "admin" } });

  await client.call("POST", "/subscriptions/checkout", 200, { token, body: { plan_name: "pro" } });
  const asked = await client.call("POST", "/subscriptions/subscribe", 200, { token, body: { plan_name: "pro" } });
  checkMembers(client, "subscribe", asked.body, { success: "boolean", checkout_url: "string", client_secret: "null" });
  await pay(url, String(asked.body?.checkout_url));
  await replayChanges(client, url, token);
}

async function pay(url: string, page: string): Promise<void> {
  await fetch(new URL(new URL(page).pathname, url), {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({ action: "pay", choice: "visa" }),
  });
}

async function replayChanges(client: LegacyClient, url: string, token: string): Promise<void> {
  const tier = await tierOnceItIs(url, token, "pro");
  client.check(tier === "pro", `answer: after paying for pro the tier is ${String(tier)}`);
  const current = await client.call("GET", "/subscriptions/current", 200, { token });
  checkMembers(client, "current", current.body, {
    tier: "string",
    status: "string",
    usage_limits: "object",
    current_usage: "object",
    usage_percentage: "object",
    features: "array",
  });
  for (const method of ["PUT", "POST"] as const) {
    const plan = method === "PUT" ? { plan_name: "enterprise" } : { plan_name: "enterprise", interval: "year" };
    const up = await client.call(method, "/subscriptions/upgrade", 200, { token, body: plan });
    client.check(up.body?.success === true && up.body?.tier === "enterprise", `answer: upgraded to ${up.body?.tier}`);
    const down = await client.call(method, "/subscriptions/downgrade", 200, { token, body: { plan_name: "pro" } });
    client.check(down.body?.tier === "enterprise", "answer: a downgrade takes the paid plan away at once");
  }
  const cancelled = await client.call("POST", "/subscriptions/cancel", 200, { token });
  client.check(
    cancelled.body?.status === "active" && cancelled.body?.tier === "enterprise",
    "answer: cancelling takes the paid plan away at once",
  );
  for (const path of ["/subscriptions/portal", "/subscriptions/billing-portal", "/subscriptions/manage"])
    await replayPortal(client, path, token);
  for (const path of ["/billing/portal", "/billing/manage"]) await replayPortal(client, path, token);
  await client.call("GET", "/subscriptions/payment-methods", 200, { token });
  await client.call("GET", "/subscriptions/invoices", 200, { token });
}

async function replayPortal(client: LegacyClient, path: string, token: string): Promise<void> {
  const opened = await client.call("POST", path, 200, { token, body: {} });
  checkMembers(client, path, opened.body, { success: "boolean", portal_url: "string" });
}

/** The plan counts once the payment is confirmed, which takes a moment. */
async function tierOnceItIs(url: string, token: string, wanted: string): Promise<unknown> {
  const until = Date.now() + settleMs;
  for (;;) {
    const answer = await fetch(`${url}/v1/subscriptions/current`, { headers: { authorization: `Bearer ${token}` } });
    const { tier } = (await answer.json()) as { tier: unknown };
    if (tier === wanted || Date.now() > until) return tier;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
