/** How features hold, settle and give back what a workspace uses of its plan. It decides nothing itself. */
import { objectNamed, type Placement } from "../stub.ts";
import type { HoldOutcome, HoldRequest, Ledger, Reconciled, ReconcileRequest } from "./object.ts";
import type { MeterName, Totals } from "./rules.ts";

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
