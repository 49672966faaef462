/**
 * Brings a workspace's copy of its subscription up to date. What to write is only ever what the payment company says at this moment: events
 * and clients' calls are reasons to look, so their order and their number do not matter.
 */
import type { Invoice, Payments } from "#adapters/payments/contract";
import { auditEntry } from "#core/audit";
import type { Ctx } from "#core/context";
import type { Enqueued, Statement } from "#core/job";
import { Problem } from "#core/problem";
import { setUsageAnchor } from "#durable/ledger/client";
import { setPlan } from "#features/workspaces/service";
import { accountAfter, type AccountState, chooseSubscription, earliest, isLive, usageAnchor } from "./rules.ts";
import {
  type AccountId,
  type Billed,
  findAccount,
  findBilled,
  isOvertaken,
  keepInvoice,
  knownInvoices,
  markProcessed,
  updateAccount,
  waitingEvents,
} from "./store.ts";
import type { BillingAccountRow, BillingInvoiceRow } from "./tables.ts";
import { type Told, tellOfChange, tellOfInvoice, tellOfTrialEnd } from "./tell.ts";

/** Jobs and requests for one workspace seldom meet; each try reads anew. */
const maxTries = 6;
/** Each event may name an invoice, which is read; a later job sees to the rest. */
const maxEvents = 40;

/** A request's context, or a job's with its fenced commit. */
export type SyncCtx = Ctx & { commit?(statements: Statement[]): Promise<void> };

/** Null: the workspace never had to do with payments. Throws what the payment company's calls throw. */
export async function syncAccount(
  ctx: SyncCtx,
  payments: Payments,
  workspaceId: string,
): Promise<BillingAccountRow | null> {
  const id: AccountId = { workspaceId, provider: payments.provider };
  for (let attempt = 0; attempt < maxTries; attempt += 1) {
    const before = await findAccount(ctx, id);
    if (!before) return null;
    const written = await readAndWrite(ctx, payments, before);
    if (written) return written;
  }
  throw new Problem("billing-unavailable", { headers: { "retry-after": "5" } });
}

/** What cannot be read is not taken for deleted: nothing that was paid for is ended by a guess. */
function isDeleted(billed: Billed | null): boolean {
  return billed !== null && billed.deletedAt !== null;
}

/** Null when somebody wrote meanwhile: then what was read may be older than what they wrote. */
async function readAndWrite(
  ctx: SyncCtx,
  payments: Payments,
  before: BillingAccountRow,
): Promise<BillingAccountRow | null> {
  const scoped = { ...ctx, workspaceId: before.workspaceId };
  // Before the reading: what arrives after it waits for the next one.
  const events = await waitingEvents(ctx, before, maxEvents);
  const billed = await findBilled(ctx, before.workspaceId);
  const all = await payments.subscriptionsOf(before.customerId);
  const { chosen, extra } = chooseSubscription(all);
  const triedAt = earliest(...all.map(({ trialStartedAt }) => trialStartedAt));
  const after = accountAfter(before, { chosen, triedAt }, ctx.now());
  const told: Told = { statements: [], enqueued: [] };
  const add = (more: Told) => {
    told.statements.push(...more.statements);
    told.enqueued.push(...more.enqueued);
  };
  if (billed) add(changes(scoped, billed, { before, after }));
  add(await invoices(scoped, payments, { before, billed, events }));
  if (
    billed &&
    after.state === "trialing" &&
    events.some(({ type }) => type === "customer.subscription.trial_will_end")
  )
    add(tellOfTrialEnd(scoped, billed, after));
  const statements = [
    updateAccount(ctx, before, before.version, after),
    ...told.statements,
    ...markProcessed(
      ctx,
      before.provider,
      events.map((event) => event.id),
    ),
  ];
  if (!(await commit(ctx, statements, told.enqueued))) return null;
  // After the commit and each time: whoever dies in between is made good by the next reading.
  await setUsageAnchor(ctx.objects.LEDGER, { workspaceId: before.workspaceId, anchorMs: usageAnchor(after) });
  await endUnwanted(ctx, payments, { extra, chosen, isDeleted: isDeleted(billed) });
  return { ...before, ...after, version: before.version + 1 };
}

async function commit(ctx: SyncCtx, statements: Statement[], enqueued: Enqueued[]): Promise<boolean> {
  const [first, ...rest] = [...statements, ...enqueued.map((job) => job.statement)];
  if (!first) return true;
  try {
    await (ctx.commit ? ctx.commit([first, ...rest]) : ctx.db.batch([first, ...rest]));
  } catch (error) {
    if (isOvertaken(error)) return false;
    throw error;
  }
  for (const job of enqueued) await ctx.offer(job);
  return true;
}

type Scoped = SyncCtx & { workspaceId: string };

function changes(ctx: Scoped, billed: Billed, { before, after }: { before: AccountState; after: AccountState }): Told {
  const was = shown(before);
  const is = shown(after);
  if (JSON.stringify(was) === JSON.stringify(is)) return { statements: [], enqueued: [] };
  const target = after.subscriptionId ?? before.subscriptionId ?? ctx.workspaceId;
  const plan =
    after.grantedPlan === before.grantedPlan
      ? []
      : setPlan(ctx.db, ctx.workspaceId, { plan: after.grantedPlan, at: after.periodStartsAt ?? ctx.now() });
  const told = tellOfChange(ctx, billed, { before, after });
  return {
    statements: [
      ...plan,
      auditEntry(ctx, "subscription.changed", { target, before: was, after: is }),
      ...told.statements,
    ],
    enqueued: told.enqueued,
  };
}

/** The members whose change a person would want to read about. */
function shown(state: AccountState) {
  const { grantedPlan, subscriptionId, plan, interval, cancelAtPeriodEnd, pending } = state;
  return {
    grantedPlan,
    subscriptionId,
    plan,
    interval,
    state: state.state,
    cancelAtPeriodEnd,
    pending: pending ?? null,
  };
}

interface AboutInvoices {
  before: BillingAccountRow;
  billed: Billed | null;
  events: { id: string; type: string; invoiceId: string | null }[];
}

async function invoices(ctx: Scoped, payments: Payments, about: AboutInvoices): Promise<Told> {
  const ids = [...new Set(about.events.flatMap(({ invoiceId }) => invoiceId ?? []))];
  const known = await knownInvoices(ctx, ids);
  const told: Told = { statements: [], enqueued: [] };
  for (const invoice of await readInvoices(payments, ids)) {
    if (invoice.customerId !== about.before.customerId) continue;
    const seen = known.get(invoice.id) ?? null;
    told.statements.push(keepInvoice(ctx, about.before, invoice));
    if (!about.billed || !isNews(seen, invoice)) continue;
    const more = tellOfInvoice(ctx, about.billed, invoice);
    told.statements.push(...more.statements);
    told.enqueued.push(...more.enqueued);
  }
  return told;
}

/** An invocation has six connections at a time. */
const inParallel = 5;

async function readInvoices(payments: Payments, ids: readonly string[]): Promise<Invoice[]> {
  const found: Invoice[] = [];
  for (let from = 0; from < ids.length; from += inParallel) {
    const some = await Promise.all(ids.slice(from, from + inParallel).map((id) => payments.findInvoice(id)));
    found.push(...some.filter((invoice) => invoice !== null));
  }
  return found;
}

/** It was paid, or another try to collect it failed. */
function isNews(seen: BillingInvoiceRow | null, invoice: Invoice): boolean {
  if (invoice.status === "paid") return seen?.status !== "paid";
  return invoice.status === "open" && invoice.attempts > (seen?.attempts ?? 0);
}

interface Unwanted {
  extra: Parameters<Payments["cancelNow"]>[0][];
  chosen: Parameters<Payments["cancelNow"]>[0] | null;
  isDeleted: boolean;
}

/** Two checkout pages that were both paid, and whatever a deleted workspace still pays for. */
async function endUnwanted(ctx: Ctx, payments: Payments, { extra, chosen, isDeleted }: Unwanted): Promise<void> {
  const unwanted = isDeleted && chosen && isLive(chosen.state) ? [...extra, chosen] : extra;
  for (const subscribed of unwanted) {
    ctx.log("warn", "billing.subscription-unwanted", { subscriptionId: subscribed.id, isDeleted });
    await payments.cancelNow(subscribed, { refundFrom: ctx.now() });
  }
}
