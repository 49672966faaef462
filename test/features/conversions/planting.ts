/** Conversions whose jobs only the test runs, and storage that stands still or fails where a test wants it to. */
import type { AppCtx } from "#app/app-context";
import type { WorkspaceCtx } from "#core/context";
import { startOpening } from "#features/conversions/start-opening";
import { startSealing, takeIds } from "#features/conversions/start-sealing";
import { bindings, type Person } from "#test/support/harness";
import { quietContext, storeFile } from "./support.ts";

/** 64 hexadecimal characters that are a valid master key and differ at each call. */
export const newKey = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");

/** A conversion whose job nobody but the test runs. */
export async function plantSealing(
  person: Person,
  audio: Uint8Array,
  options: Parameters<typeof startSealing>[2] | Record<string, unknown> = {},
) {
  const ctx = quietContext(person);
  const ids = takeIds(ctx);
  const fileId = await storeFile(person, "tone.wav", audio);
  await startSealing(ctx, ids, { fileId, ...options });
  return { ...ids, fileId };
}

export async function plantOpening(person: Person, body: Parameters<typeof startOpening>[2]) {
  const ctx = quietContext(person);
  const ids = takeIds(ctx);
  await startOpening(ctx, ids, body);
  return ids;
}

/** A context whose bucket does something else at the n-th call of a method. */
export function withBucket(person: Person, change: Partial<R2Bucket>): AppCtx & WorkspaceCtx {
  const ctx = quietContext(person);
  const files = new Proxy(bindings.FILES, {
    get(target, name) {
      const given = change[name as keyof R2Bucket];
      if (given) return given;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return Object.assign(ctx, { files });
}

export interface Gate {
  reached: Promise<void>;
  open(): void;
}

/** Holds the n-th call until it is let go, as a machine does that stands still. */
export function gateAt(
  call: number,
  run: (...args: never[]) => Promise<unknown>,
): { gate: Gate; gated: (...args: never[]) => Promise<unknown> } {
  const reached = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  let calls = 0;
  return {
    gate: { reached: reached.promise, open: () => opened.resolve() },
    async gated(...args) {
      calls += 1;
      if (calls === call) {
        reached.resolve();
        await opened.promise;
      }
      return run(...args);
    },
  };
}

export const expireLease = (jobId: string) =>
  bindings.DB.prepare("update jobs set lease_until = 1 where id = ?").bind(jobId).run();
export const imageRows = async (conversionId: string) =>
  (
    await bindings.DB.prepare(
      'select "index", sha256, r2_key as r2Key from conversion_images where conversion_id = ? order by "index"',
    )
      .bind(conversionId)
      .all<{ index: number; sha256: string; r2Key: string }>()
  ).results;
