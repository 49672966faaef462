/**
 * Seals what a mail is told while it waits in a job's row: codes and links that sign people in must not lie there in clear.
 * Bound to the mail's id, so that one row's words cannot be moved to another.
 */
import type { Ctx } from "#core/context";
import type { MasterKey } from "#core/env";
import { Problem } from "#core/problem";
import { deriveKey, importKek, unwrap, wrapAtOnce } from "#lib/envelope";

export interface SealedData {
  sealed: string;
  masterVersion: number;
}

/** The values, never promises: a promise of one request may not be awaited by another in this runtime. */
const derivedKeys = new WeakMap<MasterKey, Uint8Array<ArrayBuffer>>();

function keyOf(master: MasterKey): Uint8Array<ArrayBuffer> {
  const known = derivedKeys.get(master);
  if (known) return known;
  const key = deriveKey(master.raw, "overtone mail data");
  derivedKeys.set(master, key);
  return key;
}

export function sealMailData(ctx: Pick<Ctx, "settings" | "random">, mailId: string, data: object): SealedData {
  const [master] = ctx.settings.masterKeys;
  const plaintext = new TextEncoder().encode(JSON.stringify(data));
  const sealed = wrapAtOnce(keyOf(master), plaintext, { aadText: `mail ${mailId}`, random: (n) => ctx.random(n) });
  return { sealed, masterVersion: master.version };
}

/** Throws `unavailable` while the master key is not configured here (an isolate may still run with older settings). */
export async function openMailData(
  settings: Ctx["settings"],
  mailId: string,
  { sealed, masterVersion }: SealedData,
): Promise<object> {
  const master = settings.masterKeys.find((candidate) => candidate.version === masterVersion);
  if (!master) throw new Problem("unavailable", { detail: "The master key of this mail is not configured." });
  const plain = await unwrap(await importKek(keyOf(master)), sealed, `mail ${mailId}`);
  return JSON.parse(new TextDecoder().decode(plain)) as object;
}
