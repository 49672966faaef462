/** Compares what the product has at the end with what the payment company has, and what the shuffled events led to with what those in order did. */
import { readState } from "../state.ts";
import { type Customer, stateOf } from "./company.ts";

interface AccountRow {
  workspace_id: string;
  customer_id: string;
  granted_plan: string;
  plan: string | null;
  interval: string | null;
  state: string | null;
  period_starts_at: number | null;
  period_ends_at: number | null;
  cancel_at_period_end: number;
  trial_used_at: number | null;
  pending: string | null;
  workspace_plan: string;
}

const graceSeconds = 7 * 86_400;
const states: Record<string, string> = { past_due: "past-due", canceled: "ended" };

/** What has to stand in the database, said anew and not by the product's own rules. */
function expectedOf(customer: Customer, nowSeconds: number): Record<string, unknown> {
  const { subscriptions, invoices } = stateOf(customer);
  const rank = (status: string) => ["active", "trialing", "past_due", "canceled"].indexOf(status);
  const [best] = subscriptions.toSorted((a, b) => rank(a.status) - rank(b.status) || b.created - a.created);
  const trials = subscriptions.flatMap(({ trialStart }) => trialStart ?? []);
  const trialUsedAt = trials.length === 0 ? null : Math.min(...trials) * 1_000;
  if (!best) return { plan: null, state: null, grantedPlan: "free", workspacePlan: "free", trialUsedAt };
  const unpaid = invoices.filter(({ status, subscription }) => status === "open" && subscription === best.id);
  const since = Math.min(...unpaid.map(({ created }) => created));
  const isPaidFor = best.status === "active" || best.status === "trialing";
  const isInGrace = best.status === "past_due" && nowSeconds < since + graceSeconds;
  const granted = isPaidFor || isInGrace ? best.plan : "free";
  return {
    plan: best.plan,
    state: states[best.status] ?? best.status,
    grantedPlan: granted,
    workspacePlan: granted,
    trialUsedAt,
    interval: best.interval,
    startsAt: best.start * 1_000,
    endsAt: best.end * 1_000,
    cancels: best.cancels,
    pending: best.pending,
  };
}

function seenIn(row: AccountRow): Record<string, unknown> {
  const trialUsedAt = row.trial_used_at;
  const { plan, state, granted_plan: grantedPlan, workspace_plan: workspacePlan } = row;
  if (state === null) return { plan, state, grantedPlan, workspacePlan, trialUsedAt };
  const pending = row.pending === null ? null : (JSON.parse(row.pending) as { plan: string } | null);
  return {
    plan,
    state,
    grantedPlan,
    workspacePlan,
    trialUsedAt,
    interval: row.interval,
    startsAt: row.period_starts_at,
    endsAt: row.period_ends_at,
    cancels: row.cancel_at_period_end === 1,
    pending: pending?.plan ?? null,
  };
}

interface Verified {
  violations: string[];
  events: number;
  unprocessed: number;
}

export interface Pair {
  shuffled: Customer;
  inOrder: Customer;
}

export function verify(stateDir: string, pairs: readonly Pair[], distinctEvents: number): Verified {
  const state = readState(stateDir);
  const rows = state.database<AccountRow>(
    "SELECT a.*, w.plan AS workspace_plan FROM billing_accounts a JOIN workspaces w ON w.id = a.workspace_id",
  );
  const byCustomer = new Map(rows.map((row) => [row.customer_id, row]));
  const violations: string[] = [];
  const nowSeconds = Date.now() / 1_000;
  for (const { shuffled, inOrder } of pairs) {
    const [mixed, ordered] = [shuffled, inOrder].map((customer) => byCustomer.get(customer.id));
    if (!mixed || !ordered) {
      violations.push(`state: ${shuffled.id} has no account`);
      continue;
    }
    const [seen, twin] = [JSON.stringify(seenIn(mixed)), JSON.stringify(seenIn(ordered))];
    const expected = JSON.stringify(expectedOf(shuffled, nowSeconds));
    if (seen !== twin) violations.push(`state: ${shuffled.id} is ${seen}, in order ${twin}`);
    if (seen !== expected) violations.push(`state: ${shuffled.id} is ${seen}, not ${expected}`);
    if (mixed.workspace_plan !== mixed.granted_plan)
      violations.push(`plan: ${shuffled.id} grants ${mixed.granted_plan}, the workspace has ${mixed.workspace_plan}`);
  }
  const [kept] = state.database<{ events: number; unprocessed: number }>(
    "SELECT count(*) AS events, sum(processed_at IS NULL) AS unprocessed FROM billing_events",
  );
  const { events = 0, unprocessed = 0 } = kept ?? {};
  if (events !== distinctEvents) violations.push(`double: ${events} events are kept of ${distinctEvents}`);
  if (unprocessed > 0) violations.push(`lost: ${unprocessed} events were never looked at`);
  violations.push(...brokenTrails(state));
  return { violations, events, unprocessed };
}

interface AuditRow {
  workspace_id: string;
  details: string;
}

/** Each change begins where the one before it ended: a change that was told twice or lost breaks the row. */
function brokenTrails(state: ReturnType<typeof readState>): string[] {
  const rows = state.database<AuditRow>(
    "SELECT workspace_id, details FROM audit_log WHERE action = 'subscription.changed' ORDER BY rowid",
  );
  const last = new Map<string, Record<string, unknown>>();
  const broken: string[] = [];
  for (const row of rows) {
    const { before = {}, after = {} } = JSON.parse(row.details) as Record<string, Record<string, unknown>>;
    const known = last.get(row.workspace_id) ?? {};
    const wrong = Object.keys(before).find(
      (name) => name in known && JSON.stringify(known[name]) !== JSON.stringify(before[name]),
    );
    if (wrong !== undefined) broken.push(`trail: ${row.workspace_id} changed ${wrong} twice from the same value`);
    last.set(row.workspace_id, { ...known, ...after });
  }
  return broken;
}
