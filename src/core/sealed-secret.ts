/**
 * Small secrets in envelopes under the master key, each bound to what it is for and whose it is. Nothing here is kept in clear, and an
 * envelope that was moved to another row does not open.
 */
import { deriveKey, importKek, unwrap, wrap } from "#lib/envelope";
import type { Ctx } from "./context.ts";
import type { MasterKey } from "./env.ts";
import { Problem } from "./problem.ts";

export interface SealedSecret {
  wrappedSecret: string;
  masterVersion: number;
}

/** `purpose` names the table: its key is derived from the master key. `name` names the row. */
export interface SecretName {
  purpose: string;
  name: string;
}

function kekOf(master: MasterKey, purpose: string): Promise<CryptoKey> {
  return importKek(deriveKey(master.raw, `overtone ${purpose} wrapping`));
}

export async function sealSecret(
  ctx: Pick<Ctx, "settings" | "random">,
  { purpose, name }: SecretName,
  text: string,
): Promise<SealedSecret> {
  const [master] = ctx.settings.masterKeys;
  const kek = await kekOf(master, purpose);
  const aadText = `${purpose} ${name}`;
  const wrappedSecret = await wrap(kek, new TextEncoder().encode(text), { aadText, random: ctx.random });
  return { wrappedSecret, masterVersion: master.version };
}

/** Throws `unavailable` when its master key is not configured here, `EnvelopeError` when the bytes are not those that were sealed. */
export async function openSecret(
  ctx: Pick<Ctx, "settings">,
  { purpose, name }: SecretName,
  stored: SealedSecret,
): Promise<string> {
  const master = ctx.settings.masterKeys.find(({ version }) => version === stored.masterVersion);
  // While a new MASTER_KEYS spreads, an isolate may still run with the old one: the caller tries again.
  if (!master)
    throw new Problem("unavailable", {
      detail: "The master key of this secret is not configured.",
      headers: { "retry-after": "30" },
    });
  const opened = await unwrap(await kekOf(master, purpose), stored.wrappedSecret, `${purpose} ${name}`);
  return new TextDecoder().decode(opened);
}

/** What people may see of a secret to know it again: its first four characters. */
export function maskedSecret(text: string): string {
  return `${text.slice(0, 4)}${"*".repeat(8)}`;
}
