/** Billing against the simulated Stripe: the pages that a person would see, the clock, and the jobs that events ask for. */
import { runJob } from "#app/run-job";
import { readSettings } from "#core/env";
import { sandboxSecrets } from "#core/sandbox-secrets";
import { bindings, call, type Called, type Person, systemContext } from "#test/support/harness";

export const secrets = () => sandboxSecrets(readSettings(bindings), "stripe");

/** Runs what waits in the delivery lane for a workspace, as the queue would. */
export async function runJobs(workspaceId: string): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    const { results } = await bindings.DB.prepare(
      "select id from jobs where workspace_id = ? and state = 'queued' and name like 'billing.%' limit 100",
    )
      .bind(workspaceId)
      .all<{ id: string }>();
    if (results.length === 0) return;
    for (const { id } of results) await runJob(systemContext(), id);
  }
}

export async function customerOf(person: Person): Promise<string> {
  const row = await bindings.DB.prepare("select customer_id from billing_accounts where workspace_id = ?")
    .bind(person.workspaceId)
    .first<{ customer_id: string }>();
  return row?.customer_id ?? "";
}

const pathOf = (url: string) => new URL(url).pathname;

/** Sends a form of a stand-in page. */
export function press(url: string, fields: Record<string, string>): Promise<Called> {
  return call("POST", pathOf(url), {
    body: new URLSearchParams(fields).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
}

export function show(url: string): Promise<Called> {
  return call("GET", pathOf(url));
}

/** A call of the simulated Stripe's own API. */
export function stripe(method: string, path: string, fields?: Record<string, string>): Promise<Called> {
  return call(method, `/__sandbox/stripe/v1/${path}`, {
    as: secrets().secretKey,
    ...(fields
      ? {
          body: new URLSearchParams(fields).toString(),
          headers: { "content-type": "application/x-www-form-urlencoded" },
        }
      : {}),
  });
}

/** Buys a plan on the hosted page. */
export async function buy(
  person: Person,
  plan: "pro" | "enterprise",
  options: { interval?: "month" | "year"; card?: string } = {},
): Promise<void> {
  const { interval = "month", card = "visa" } = options;
  const opened = await person.call("POST", "/v1/subscriptions/checkout", { body: { plan, interval } });
  if (opened.status !== 200) throw new Error(JSON.stringify(opened.body));
  const paid = await press(opened.body.checkout_url, { action: "pay", choice: card });
  if (paid.status !== 303) throw new Error(`the page answered ${paid.status}`);
  await runJobs(person.workspaceId);
}

/** Puts the customer's clock forward and lets what follows arrive. */
export async function advance(person: Person, to: "period-end" | { days: number }): Promise<void> {
  const customer = await customerOf(person);
  const clock = customer.replace("cus_", "clock_");
  const { body: now } = await stripe("GET", `test_helpers/test_clocks/${clock}`);
  const { body: list } = await stripe("GET", `subscriptions?customer=${customer}&status=all`);
  const periodEnd = list.data[0]?.items.data[0].current_period_end as number;
  const until = to === "period-end" ? periodEnd + 60 : now.frozen_time + to.days * 86_400;
  const moved = await stripe("POST", `test_helpers/test_clocks/${clock}/advance`, { frozen_time: String(until) });
  if (moved.status !== 200) throw new Error(JSON.stringify(moved.body));
  await runJobs(person.workspaceId);
}

export async function current(person: Person) {
  const answer = await person.call("GET", "/v1/subscriptions/current");
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return answer.body;
}

export async function audited(workspaceId: string): Promise<string[]> {
  const { results } = await bindings.DB.prepare(
    "select action from audit_log where workspace_id = ? and action like 'subscription.%' order by id",
  )
    .bind(workspaceId)
    .all<{ action: string }>();
  return results.map(({ action }) => action);
}
