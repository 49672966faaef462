/** Every statement about devices that wait for approval. */
import { and, eq, gt, inArray } from "drizzle-orm";
import type { Ctx } from "#core/context";
import { keyedHash, keyedHashes } from "./keys.ts";
import { deviceGrants, type DeviceGrantRow } from "./tables.ts";

/** False when the user code is taken at this moment: draw another. */
export async function insertGrant(
  ctx: Ctx,
  codes: { deviceCode: string; userCode: string },
  given: Omit<DeviceGrantRow, "deviceCodeHash" | "userCodeHash">,
): Promise<boolean> {
  const [master] = ctx.settings.masterKeys;
  const row = {
    ...given,
    deviceCodeHash: keyedHash(master, "device code", codes.deviceCode),
    userCodeHash: keyedHash(master, "user code", codes.userCode),
  };
  const made = await ctx.db
    .insert(deviceGrants)
    .values(row)
    .onConflictDoNothing()
    .returning({ state: deviceGrants.state });
  return made.length > 0;
}

export async function findGrant(ctx: Ctx, deviceCode: string): Promise<DeviceGrantRow | null> {
  const hashes = keyedHashes(ctx.settings, "device code", deviceCode);
  const [row] = await ctx.db.select().from(deviceGrants).where(inArray(deviceGrants.deviceCodeHash, hashes));
  return row ?? null;
}

export async function notePoll(ctx: Ctx, row: DeviceGrantRow, intervalSeconds: number): Promise<void> {
  await ctx.db
    .update(deviceGrants)
    .set({ polledAt: ctx.now(), intervalSeconds })
    .where(eq(deviceGrants.deviceCodeHash, row.deviceCodeHash));
}

/** Takes the grant away; null when a parallel call did. */
export async function takeGrant(ctx: Ctx, row: DeviceGrantRow): Promise<DeviceGrantRow | null> {
  const [taken] = await ctx.db
    .delete(deviceGrants)
    .where(and(eq(deviceGrants.deviceCodeHash, row.deviceCodeHash), eq(deviceGrants.state, row.state)))
    .returning();
  return taken ?? null;
}

/** Decides a pending grant once. Null: there is none with this code that still waits. */
export async function decideGrant(
  ctx: Ctx,
  userCode: string,
  decision: { state: "approved" | "denied"; userId: string },
): Promise<DeviceGrantRow | null> {
  const hashes = keyedHashes(ctx.settings, "user code", userCode);
  const [row] = await ctx.db
    .update(deviceGrants)
    .set(decision)
    .where(
      and(
        inArray(deviceGrants.userCodeHash, hashes),
        eq(deviceGrants.state, "pending"),
        gt(deviceGrants.expiresAt, ctx.now()),
      ),
    )
    .returning();
  return row ?? null;
}
