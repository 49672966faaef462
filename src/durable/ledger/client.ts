/** How features hold, settle and give back what a workspace uses of its plan. It decides nothing itself. */
import { objectNamed, type Placement } from "../stub.ts";
import type {
  Asking,
  Consumed,
  Consuming,
  GivenBack,
  Held,
  MeteredName,
  MeterState,
  Outgoing,
  OutsideHold,
  Releasing,
  Reserved,
  ReserveRequest,
  ScopeKind,
  Settled,
  Standing,
} from "./meters.ts";
import type { HoldOutcome, HoldRequest, Ledger, Reconciled, ReconcileRequest } from "./object.ts";
import type { LedgerCalls } from "./purse.ts";
import type { MeterName, Totals } from "./rules.ts";

export type {
  Budget,
  Held,
  Line,
  MeteredName,
  MeterState,
  ModelUse,
  NotOpen,
  Outgoing,
  QuotaNotice,
  Scopes,
  Shortage,
  Standing,
  UsageEvent,
  UsesEvent,
} from "./meters.ts";
export { createCallLeases, handBackCalls, takeApiCall } from "./call-leases.ts";
export { leftBeside, putBack, settlePurses, type Spent, takeFromPurse, type Ticket } from "./purse.ts";

type Ledgers = DurableObjectNamespace<Ledger>;
/** Every request names the workspace whose ledger it is for. */
type Of<T> = { workspaceId: string } & T;

/** Sets an amount aside until `expiresAtMs`; the same id again renews it. `over-quota` changes nothing. */
export async function reserve(
  ledgers: Ledgers,
  request: Of<HoldRequest & { expiresAtMs: number }>,
  options: Placement = {},
): Promise<HoldOutcome> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, options).reserve(rest);
}

/** Makes a holding permanent, with the amount that it came to. `over-quota` changes nothing: release it then. */
export async function settle(
  ledgers: Ledgers,
  request: Of<HoldRequest>,
  options: Placement = {},
): Promise<HoldOutcome> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, options).settle(rest);
}

/** Gives back what an id holds, harmless when it holds nothing; `onlyReserved` leaves a settled holding alone. */
export async function release(
  ledgers: Ledgers,
  request: Of<{ meter: MeterName; id: string; onlyReserved?: boolean; nowMs?: number }>,
  options: Placement = {},
): Promise<{ released: number } & Totals> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, options).release(rest);
}

/** Keeps a reservation longer; false when it is gone. */
export async function renew(
  ledgers: Ledgers,
  request: Of<{ meter: MeterName; id: string; expiresAtMs: number; nowMs?: number }>,
  options: Placement = {},
): Promise<boolean> {
  const { workspaceId, ...rest } = request;
  const { ok } = await objectNamed(ledgers, workspaceId, options).renew(rest);
  return ok;
}

export async function readTotals(
  ledgers: Ledgers,
  request: Of<{ meter: MeterName; nowMs?: number }>,
  options: Placement = {},
): Promise<Totals> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, options).read(rest);
}

/**
 * One page of the authoritative list: at most 1,000 holdings in byte order of their ids, all those that the database has after
 * `afterId` up to `throughId` (null: to the end). The next page begins after this one's `throughId`.
 */
export async function reconcile(
  ledgers: Ledgers,
  request: Of<ReconcileRequest>,
  options: Placement = {},
): Promise<Reconciled> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, options).reconcile(rest);
}

/** Holds all amounts within all limits and budgets, or none; refused with what is short. Decided in memory. */
export async function reserveMeters(ledgers: Ledgers, request: Of<ReserveRequest>): Promise<Reserved> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).reserveMeters(rest);
}

/** Reserves and settles in one. Answers once it is on disk. */
export async function chargeMeters(ledgers: Ledgers, request: Of<Asking>): Promise<Reserved> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).chargeMeters(rest);
}

/** The ledgers as a purse asks them. */
export function purseCalls(ledgers: Ledgers): LedgerCalls {
  return { reserve: (request) => reserveMeters(ledgers, request), settle: (request) => settleMeters(ledgers, request) };
}

/** Charges what a reservation came to; what was more returns. Answers once it is on disk, and may be sent again. */
export async function settleMeters(ledgers: Ledgers, request: Of<Asking>): Promise<Settled> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).settleMeters(rest);
}

/** Gives a reservation back; false when it was not open any more. */
export async function releaseMeters(ledgers: Ledgers, request: Of<Releasing>): Promise<boolean> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).releaseMeters(rest);
}

/** Holds an amount for somebody who works elsewhere; answers once it is on disk. The same id is one reservation. */
export async function holdOutside(ledgers: Ledgers, request: Of<OutsideHold>): Promise<Held> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).holdOutside(rest);
}

/** Charges what was used of an outside reservation, and never more than what is left; the rest returns. Once for an id. */
export async function consumeOutside(ledgers: Ledgers, request: Of<Consuming>): Promise<Consumed> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).consumeOutside(rest);
}

export async function giveBackOutside(
  ledgers: Ledgers,
  request: Of<Omit<Consuming, "amount" | "meter">>,
): Promise<GivenBack> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).giveBackOutside(rest);
}

/** The limits that a reservation of these meters would meet, as they stand. */
export async function readStanding(ledgers: Ledgers, request: Of<Omit<Asking, "reservationId">>): Promise<Standing[]> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).readStanding(rest);
}

/** What may be used beyond the limit, raised or (negative) taken back; the same id counts once. Returns what is left of all grants. */
export async function grantBonus(
  ledgers: Ledgers,
  request: Of<{ id: string; meter: MeteredName; amount: number }>,
): Promise<number> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).grantBonus(rest);
}

/**
 * Makes exactly this amount usable from now on in the running period, by what is granted on top or, where less is wanted than the period
 * still has, by using up the rest. The same id counts once. Returns what may be used now.
 */
export async function setRoom(
  ledgers: Ledgers,
  request: Of<{ id: string; meter: MeteredName; amount: number; limit: number; nowMs?: number }>,
): Promise<number | null> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).setRoom(rest);
}

/** All meters of the workspace in the periods that run now, and its storage. */
export async function readMeters(
  ledgers: Ledgers,
  request: Of<{ nowMs?: number }>,
): Promise<{ meters: MeterState[]; storage: Totals }> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).readMeters(rest);
}

/** What users, keys or models used of the meters in the periods that run now; with `scopeId` one of them. */
export async function readScope(
  ledgers: Ledgers,
  request: Of<{ scope: ScopeKind; scopeId?: string; nowMs?: number }>,
): Promise<MeterState[]> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).readScope(rest);
}

export async function setUsageAnchor(ledgers: Ledgers, request: Of<{ anchorMs: number | null }>): Promise<void> {
  const { workspaceId, ...rest } = request;
  await objectNamed(ledgers, workspaceId, {}).setUsageAnchor(rest);
}

export async function readOutgoing(ledgers: Ledgers, request: Of<{ limit: number }>): Promise<Outgoing[]> {
  const { workspaceId, ...rest } = request;
  return await objectNamed(ledgers, workspaceId, {}).outgoing(rest);
}

export async function confirmOutgoing(ledgers: Ledgers, request: Of<{ throughSeq: number }>): Promise<void> {
  const { workspaceId, ...rest } = request;
  await objectNamed(ledgers, workspaceId, {}).delivered(rest);
}
