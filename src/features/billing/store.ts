/** Every statement about billing accounts, payment events and invoices. */
import { and, asc, count, eq, gt, gte, inArray, isNull, lt, or, sql } from "drizzle-orm";
import type { Database } from "#core/context";
import type { Statement } from "#core/job";
import type { Condition } from "#core/work";
import type { PaymentEvent, Invoice } from "#adapters/payments/contract";
import type { PaymentProvider } from "#adapters/payments/index";
import { users } from "#features/accounts/tables";
import { workspaceMembers, workspaces } from "#features/workspaces/tables";
import type { AccountState } from "./rules.ts";
import {
  type BillingAccountRow,
  billingAccounts,
  billingEvents,
  type BillingInvoiceRow,
  billingInvoices,
} from "./tables.ts";
import { messagesOf } from "#lib/error-messages";

type Db = { db: Database; now(): number };
export interface AccountId {
  workspaceId: string;
  provider: PaymentProvider;
}

const isAccount = ({ workspaceId, provider }: AccountId) =>
  and(eq(billingAccounts.workspaceId, workspaceId), eq(billingAccounts.provider, provider));

export async function findAccount(ctx: Db, id: AccountId): Promise<BillingAccountRow | null> {
  const [row] = await ctx.db.select().from(billingAccounts).where(isAccount(id));
  return row ?? null;
}

/** Of parallel first calls one row stays; all of them have the same customer. */
export async function keepAccount(ctx: Db, id: AccountId, customerId: string): Promise<BillingAccountRow> {
  await ctx.db
    .insert(billingAccounts)
    .values({ ...id, customerId, createdAt: ctx.now() })
    .onConflictDoNothing();
  const row = await findAccount(ctx, id);
  if (!row) throw new Error("billing account was not kept");
  return row;
}

/** Fails the batch when the row was written since `version` was read. */
export function updateAccount(ctx: Db, id: AccountId, version: number, next: AccountState): Statement {
  return ctx.db
    .update(billingAccounts)
    .set({
      ...next,
      pending: next.pending ?? sql`null`,
      version: version + 1,
      fence: sql`(${billingAccounts.version} = ${version})`,
      readAt: ctx.now(),
    })
    .where(isAccount(id));
}

export function isOvertaken(error: unknown): boolean {
  return messagesOf(error).some((message) => message.includes("billing_accounts_fence_holds"));
}

/** The page of this turn. Fails the batch as `updateAccount` does. */
export function noteCheckout(ctx: Db, account: BillingAccountRow, checkoutId: string): Statement {
  return ctx.db
    .update(billingAccounts)
    .set({ checkoutId, checkoutAt: ctx.now(), ...nextVersion(account) })
    .where(isAccount(account));
}

/** The turn's page can be paid no longer: another may be opened. Fails the batch as `updateAccount` does. */
export function nextCheckoutTurn(ctx: Db, account: BillingAccountRow): Statement {
  return ctx.db
    .update(billingAccounts)
    .set({ checkoutId: null, checkoutTurn: account.checkoutTurn + 1, ...nextVersion(account) })
    .where(isAccount(account));
}

/** What was read is used up, whatever it led to; nothing happens when somebody wrote since. */
export function nextTry(ctx: Db, account: BillingAccountRow): Statement {
  return ctx.db
    .update(billingAccounts)
    .set({ version: account.version + 1 })
    .where(and(isAccount(account), eq(billingAccounts.version, account.version)));
}

function nextVersion({ version }: BillingAccountRow) {
  return { version: version + 1, fence: sql`(${billingAccounts.version} = ${version})` };
}

export async function workspaceOfCustomer(
  ctx: Db,
  provider: PaymentProvider,
  customerId: string,
): Promise<string | null> {
  const [row] = await ctx.db
    .select({ workspaceId: billingAccounts.workspaceId })
    .from(billingAccounts)
    .where(and(eq(billingAccounts.provider, provider), eq(billingAccounts.customerId, customerId)));
  return row?.workspaceId ?? null;
}

/** The workspace and the person who pays. */
export async function findBilled(ctx: Db, workspaceId: string) {
  const [row] = await ctx.db
    .select({
      name: workspaces.name,
      plan: workspaces.plan,
      overrides: workspaces.limitOverrides,
      deletedAt: workspaces.deletedAt,
      ownerUserId: workspaces.ownerUserId,
      ownerEmail: users.email,
    })
    .from(workspaces)
    .innerJoin(users, eq(users.id, workspaces.ownerUserId))
    .where(eq(workspaces.id, workspaceId));
  return row ?? null;
}

export type Billed = NonNullable<Awaited<ReturnType<typeof findBilled>>>;

export async function countMembers(ctx: Db, workspaceId: string): Promise<number> {
  const [row] = await ctx.db
    .select({ members: count() })
    .from(workspaceMembers)
    .where(eq(workspaceMembers.workspaceId, workspaceId));
  return row?.members ?? 0;
}

export async function hasEvent(ctx: Db, provider: PaymentProvider, id: string): Promise<boolean> {
  const rows = await ctx.db
    .select({ id: billingEvents.id })
    .from(billingEvents)
    .where(and(eq(billingEvents.provider, provider), eq(billingEvents.id, id)));
  return rows.length > 0;
}

/** Fails the batch when the event is known. One of a stranger's customer is kept as done: a repeated one does nothing either. */
export function insertEvent(ctx: Db, provider: PaymentProvider, event: PaymentEvent, workspaceId: string | null) {
  const { id, type, invoiceId, createdAt } = event;
  const at = ctx.now();
  return ctx.db.insert(billingEvents).values({
    id,
    provider,
    type: type.slice(0, 100),
    workspaceId,
    invoiceId,
    createdAt,
    receivedAt: at,
    processedAt: workspaceId === null ? at : null,
  });
}

/** A condition of SQL: no job of this name is about to run in the workspace. One that is put off to a later time does not count. */
export function noneWaits(workspaceId: string, job: { name: string; at: number }): Condition {
  // By the index of what is to be done: a workspace may have thousands of jobs that have ended.
  return sql`not exists (select 1 from jobs indexed by jobs_by_state
    where state = 'queued' and run_at <= ${job.at} and cancel_requested_at is null and workspace_id = ${workspaceId} and name = ${job.name})`;
}

export async function waitingEvents(ctx: Db, { workspaceId, provider }: AccountId, limit: number) {
  return ctx.db
    .select({ id: billingEvents.id, type: billingEvents.type, invoiceId: billingEvents.invoiceId })
    .from(billingEvents)
    .where(
      and(
        eq(billingEvents.workspaceId, workspaceId),
        isNull(billingEvents.processedAt),
        eq(billingEvents.provider, provider),
      ),
    )
    .orderBy(asc(billingEvents.createdAt))
    .limit(limit);
}

export function markProcessed(ctx: Db, provider: PaymentProvider, ids: string[]): Statement[] {
  if (ids.length === 0) return [];
  return [
    ctx.db
      .update(billingEvents)
      .set({ processedAt: ctx.now() })
      .where(and(eq(billingEvents.provider, provider), inArray(billingEvents.id, ids))),
  ];
}

export function purgeEvents(ctx: Db, before: number): Statement {
  return ctx.db.delete(billingEvents).where(lt(billingEvents.receivedAt, before));
}

/** At most 50 ids. */
export async function knownInvoices(ctx: Db, ids: string[]): Promise<Map<string, BillingInvoiceRow>> {
  if (ids.length === 0) return new Map();
  const rows = await ctx.db.select().from(billingInvoices).where(inArray(billingInvoices.id, ids));
  return new Map(rows.map((row) => [row.id, row]));
}

export function keepInvoice(ctx: Db, { workspaceId, provider }: AccountId, invoice: Invoice): Statement {
  const { id, status, attempts, amountDueMicroUsd } = invoice;
  const seen = { status, attempts, amountDueMicroUsd, updatedAt: ctx.now() };
  return ctx.db
    .insert(billingInvoices)
    .values({ id, workspaceId, provider, ...seen })
    .onConflictDoUpdate({ target: billingInvoices.id, set: seen });
}

const liveStates = ["active", "trialing", "past-due", "unpaid"] as const;

/** Accounts whose copy may be out of date: those with a subscription that lives, and those that were on a checkout page lately. */
export async function accountsToRead(
  ctx: Db,
  find: { provider: PaymentProvider; checkoutSince: number; readBefore: number; after: string; limit: number },
): Promise<string[]> {
  const rows = await ctx.db
    .select({ workspaceId: billingAccounts.workspaceId })
    .from(billingAccounts)
    .where(
      and(
        eq(billingAccounts.provider, find.provider),
        gt(billingAccounts.workspaceId, find.after),
        or(isNull(billingAccounts.readAt), lt(billingAccounts.readAt, find.readBefore)),
        or(inArray(billingAccounts.state, liveStates), gte(billingAccounts.checkoutAt, find.checkoutSince)),
      ),
    )
    .orderBy(asc(billingAccounts.workspaceId))
    .limit(find.limit);
  return rows.map(({ workspaceId }) => workspaceId);
}

/** Unpaid ones whose grace has passed and that still have their plan. */
export async function accountsOutOfGrace(
  ctx: Db,
  find: { provider: PaymentProvider; overdueBefore: number; after: string; limit: number },
): Promise<string[]> {
  const rows = await ctx.db
    .select({ workspaceId: billingAccounts.workspaceId })
    .from(billingAccounts)
    .where(
      and(
        eq(billingAccounts.provider, find.provider),
        eq(billingAccounts.state, "past-due"),
        gt(billingAccounts.workspaceId, find.after),
        lt(billingAccounts.overdueSince, find.overdueBefore),
        sql`${billingAccounts.grantedPlan} <> 'free'`,
      ),
    )
    .orderBy(asc(billingAccounts.workspaceId))
    .limit(find.limit);
  return rows.map(({ workspaceId }) => workspaceId);
}
