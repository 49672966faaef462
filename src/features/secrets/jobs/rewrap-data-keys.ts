/**
 * After a rotation: moves data keys from the retired key to the person's active one. Images are not touched, and at every moment
 * each data key is wrapped by exactly one key that opens it, so older images open before, during and after the run.
 */
import * as z from "zod";
import { defineJob, done, fail, type JobCtx, type Outcome, retry } from "#core/job";
import { countDataKeysUnder, findActiveUserKeyOf, findKey, listDataKeysUnder, moveDataKeys } from "../store.ts";
import type { EncryptionKeyRow } from "../tables.ts";
import { type Holder, holderOf, isDamaged, unwrapDataKey, wrapDataKey } from "../wrapping.ts";

const pageSize = 50;
/** Each page takes five calls of the database, and the platform allows 1,000 an invocation; the rest is done by the next attempt. */
const maxPages = 150;

export const rewrapDataKeys = defineJob({
  name: "secrets.rewrap-data-keys",
  lane: "delivery",
  listed: true,
  payload: () => z.object({ encryptionKeyId: z.string() }),
  attempts: 50,
  async run(ctx, { encryptionKeyId }): Promise<Outcome> {
    const source = await findKey(ctx, encryptionKeyId);
    if (!source) return fail("encryption-key-not-found");
    const total = await countDataKeysUnder(ctx, source.id);
    const pass = { source: await holderOf(ctx.settings, source), after: "", seen: 0, damaged: 0 };
    for (let page = 0; page < maxPages; page += 1) {
      const step = await movePage(ctx, pass);
      await ctx.checkpoint({ done: Math.min(pass.seen, total), total, step: "rewrap" });
      if (step === "deactivated")
        return fail("encryption-key-deactivated", "The old key was deactivated before all data keys had moved.");
      if (step === "no-successor")
        return done({ moved: total - (await countDataKeysUnder(ctx, source.id)), damaged: pass.damaged });
      if (step === "end") return endPass(ctx, pass, total);
    }
    return retry("more data keys than one run moves", 0);
  },
});

interface Pass {
  source: Holder;
  after: string;
  seen: number;
  damaged: number;
}

type Step = "more" | "end" | "deactivated" | "no-successor";

async function movePage(ctx: JobCtx, pass: Pass): Promise<Step> {
  const { row } = pass.source;
  const [source, target] = await Promise.all([findKey(ctx, row.id), findActiveUserKeyOf(ctx, row.userId)]);
  if (source?.state === "deactivated") return "deactivated";
  if (!target || target.id === row.id) return "no-successor";
  const page = await listDataKeysUnder(ctx, { encryptionKeyId: row.id, after: pass.after, limit: pageSize });
  const moved = await rewrapPage(ctx, { pass, target, page });
  if (moved.length > 0) await ctx.commit([moveDataKeys(ctx, moved, { from: row.id, to: target.id })]);
  pass.after = page.at(-1)?.id ?? pass.after;
  pass.seen += page.length;
  return page.length < pageSize ? "end" : "more";
}

interface Page {
  pass: Pass;
  target: EncryptionKeyRow;
  page: { id: string; wrappedKey: string }[];
}

async function rewrapPage(ctx: JobCtx, { pass, target, page }: Page): Promise<{ id: string; wrappedKey: string }[]> {
  const holder = await holderOf(ctx.settings, target);
  const moved: { id: string; wrappedKey: string }[] = [];
  for (const { id, wrappedKey } of page) {
    try {
      const raw = await unwrapDataKey(pass.source, { id, wrappedKey });
      moved.push({ id, wrappedKey: await wrapDataKey(ctx, holder, { id, raw }) });
    } catch (error) {
      if (!isDamaged(error)) throw error;
      pass.damaged += 1;
      ctx.log("error", "data-key.damaged", { keyId: id });
    }
  }
  return moved;
}

/** Keys that a conversion stored behind the pass, or that another rotation held back, take one more pass. */
async function endPass(ctx: JobCtx, pass: Pass, total: number): Promise<Outcome> {
  const left = await countDataKeysUnder(ctx, pass.source.row.id);
  if (left > pass.damaged) return retry("data keys came while the others moved", 1);
  return done({ moved: Math.max(0, total - left), damaged: pass.damaged });
}
