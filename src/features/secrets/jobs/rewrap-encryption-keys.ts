/**
 * After a change of MASTER_KEYS: wraps every encryption key of the deployment by the current master key. Older master keys stay
 * configured meanwhile, so each key opens at every moment. Touches neither data keys nor images.
 */
import * as z from "zod";
import { defineJob, done, type JobCtx, type Outcome, retry } from "#core/job";
import { countStale, listStale, rewrapKeys } from "../store.ts";
import type { EncryptionKeyRow } from "../tables.ts";
import { isDamaged, unwrapEncryptionKey, wrapEncryptionKey } from "../wrapping.ts";

const pageSize = 50;
/** Four calls of the database a page; the platform allows 1,000 an invocation. */
const maxPages = 150;

export const rewrapEncryptionKeys = defineJob({
  name: "secrets.rewrap-encryption-keys",
  lane: "delivery",
  payload: () => z.object({ masterVersion: z.number().int() }),
  attempts: 50,
  async run(ctx, { masterVersion }): Promise<Outcome> {
    const [current, ...older] = ctx.settings.masterKeys;
    if (current.version !== masterVersion) {
      // An isolate that still has the old configuration must not wrap by the old key; one with a newer has its own job.
      return older.some((key) => key.version === masterVersion)
        ? done({ rewrapped: 0, left: 0, superseded: true })
        : retry("the new master key has not arrived here", 15);
    }
    const total = await countStale(ctx, masterVersion);
    const pass = { masterVersion, after: "", seen: 0, left: 0 };
    for (let page = 0; page < maxPages; page += 1) {
      const more = await rewrapPage(ctx, pass);
      await ctx.checkpoint({ done: Math.min(pass.seen, total), total, step: "rewrap" });
      if (!more) return done({ rewrapped: pass.seen - pass.left, left: pass.left });
    }
    return retry("more keys than one run wraps", 0);
  },
});

interface Pass {
  masterVersion: number;
  after: string;
  seen: number;
  left: number;
}

async function rewrapPage(ctx: JobCtx, pass: Pass): Promise<boolean> {
  const rows = await listStale(ctx, { currentVersion: pass.masterVersion, after: pass.after, limit: pageSize });
  const rewrapped: { id: string; from: string; wrappedKey: string }[] = [];
  for (const row of rows) {
    const wrappedKey = await rewrap(ctx, row);
    if (wrappedKey === null) pass.left += 1;
    else rewrapped.push({ id: row.id, from: row.wrappedKey, wrappedKey });
  }
  if (rewrapped.length > 0) await ctx.commit([rewrapKeys(ctx, rewrapped, pass.masterVersion)]);
  pass.after = rows.at(-1)?.id ?? pass.after;
  pass.seen += rows.length;
  return rows.length === pageSize;
}

/** Null, and an error line for the operator, when the key is damaged or its master key was dropped from the configuration. */
async function rewrap(ctx: JobCtx, row: EncryptionKeyRow): Promise<string | null> {
  const isConfigured = ctx.settings.masterKeys.some((key) => key.version === row.masterVersion);
  if (isConfigured) {
    try {
      const raw = await unwrapEncryptionKey(ctx.settings, row);
      return (await wrapEncryptionKey(ctx, row, raw)).wrappedKey;
    } catch (error) {
      if (!isDamaged(error)) throw error;
    }
  }
  ctx.log("error", "encryption-key.not-rewrapped", {
    encryptionKeyId: row.id,
    masterVersion: row.masterVersion,
    reason: isConfigured ? "damaged" : "master key missing",
  });
  return null;
}
