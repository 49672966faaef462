/**
 * What a workspace's files hold of its storage quota. One thing (file, conversion) is one holding, named by its id; the ledger decides,
 * these helpers know the plan's limit. Usable from jobs, which know no plan.
 */
import type { Ctx, WorkspaceCtx } from "#core/context";
import { limitsOf } from "#core/plans";
import { Problem } from "#core/problem";
import { release, reserve, settle } from "#durable/ledger/client";

/** A system context has a workspace and no plan; a request has both. */
export type StorageCtx = Ctx & Pick<WorkspaceCtx, "workspaceId"> & Partial<Pick<WorkspaceCtx, "plan" | "overrides">>;

const meter = "storage";
/** Longer than an upload lives: a reservation ends by itself only when its upload was lost before it was stored. */
const reservationMs = 27 * 3_600_000;

type Outcome = Awaited<ReturnType<typeof reserve>>;

/** Sets bytes aside under an id; the same id again changes the amount. Throws `storage-quota-exceeded` and then holds what it held. */
export async function reserveStorage(ctx: WorkspaceCtx, id: string, bytes: number): Promise<void> {
  const expiresAtMs = ctx.now() + reservationMs;
  const request = { workspaceId: ctx.workspaceId, meter, id, amount: bytes, limit: limitOf(ctx), expiresAtMs } as const;
  requireHeld(await reserve(ctx.objects.LEDGER, request), bytes);
}

/**
 * Makes a holding permanent with the amount that it came to; repeating it changes nothing. In a job only what was reserved before fits.
 * Throws `storage-quota-exceeded` and then holds what it held: release it.
 */
export async function settleStorage(ctx: StorageCtx, id: string, bytes: number): Promise<void> {
  const request = { workspaceId: ctx.workspaceId, meter, id, amount: bytes, limit: limitOf(ctx) } as const;
  requireHeld(await settle(ctx.objects.LEDGER, request), bytes);
}

/** Gives back what an id holds; harmless when it holds nothing. `onlyReserved` leaves a settled holding alone. */
export async function releaseStorage(
  ctx: StorageCtx,
  id: string,
  options: { onlyReserved?: boolean } = {},
): Promise<void> {
  await release(ctx.objects.LEDGER, { workspaceId: ctx.workspaceId, meter, id, ...options });
}

/** Without a plan 0: the ledger lets pass what does not grow, so a reservation can be settled and nothing more. */
function limitOf(ctx: StorageCtx): number | null {
  return ctx.plan === undefined ? 0 : limitsOf(ctx.plan, ctx.overrides ?? {}).storageBytes;
}

function requireHeld(outcome: Outcome, neededBytes: number): void {
  if (outcome.ok) return;
  const { used, reserved, limit } = outcome;
  throw new Problem("storage-quota-exceeded", {
    detail: `${neededBytes} bytes are needed, ${used} are used and ${reserved} reserved.`,
    members: { usedBytes: used, reservedBytes: reserved, limitBytes: limit, neededBytes },
  });
}
