/**
 * A version 1 master key that came with a request has to reach the job, and must never be stored in clear: it is kept in the conversion's
 * row as an envelope under a key derived from the deployment's master key, bound to that conversion. The batch that ends the job, and the
 * clean-up of one that fails, set it to null; a retry then asks for the key again.
 */
import type { Ctx } from "#core/context";
import type { MasterKey } from "#core/env";
import { Problem } from "#core/problem";
import { deriveKey, EnvelopeError, importKek, unwrap, wrap } from "#lib/envelope";

type KeyCtx = Pick<Ctx, "settings" | "random">;
interface Owner {
  workspaceId: string;
  conversionId: string;
}

/** Derived, so that these bytes serve no other purpose. */
function kekOf(master: MasterKey): Promise<CryptoKey> {
  return importKek(deriveKey(master.raw, "overtone request key wrapping"));
}

function textOf({ workspaceId, conversionId }: Owner): string {
  return `${workspaceId}|${conversionId}|request-key`;
}

export async function wrapRequestKey(ctx: KeyCtx, owner: Owner, raw: Uint8Array): Promise<string> {
  const [master] = ctx.settings.masterKeys;
  return `${master.version}:${await wrap(await kekOf(master), raw, { aadText: textOf(owner), random: ctx.random })}`;
}

/** Throws `unavailable` when its master key is not configured here: an isolate may still run with the old configuration. */
export async function unwrapRequestKey(ctx: KeyCtx, owner: Owner, stored: string): Promise<Uint8Array> {
  const [version = "", wrapped = ""] = stored.split(":", 2);
  const master = ctx.settings.masterKeys.find((key) => key.version === Number(version));
  if (!master) throw new Problem("unavailable", { detail: "The master key of a request's key is not configured." });
  try {
    return await unwrap(await kekOf(master), wrapped, textOf(owner));
  } catch (error) {
    if (error instanceof EnvelopeError) throw new Problem("encryption-key-damaged");
    throw error;
  }
}
