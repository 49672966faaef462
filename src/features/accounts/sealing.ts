/** Small secrets that wait somewhere for their use: under a key of the master key's, bound to a text that says whose they are. */
import type { Ctx } from "#core/context";
import type { MasterKey } from "#core/env";
import { deriveKey, EnvelopeError, importKek, unwrap, wrapAtOnce } from "#lib/envelope";

const keyOf = (master: MasterKey) => deriveKey(master.raw, "overtone account secrets");

export function sealText(ctx: Pick<Ctx, "settings" | "random">, aadText: string, text: string): string {
  const random = (lengthBytes: number) => ctx.random(lengthBytes);
  return wrapAtOnce(keyOf(ctx.settings.masterKeys[0]), Buffer.from(text), { aadText, random });
}

/** null: sealed under a master key that is gone, for something else, or damaged. */
export async function openText(settings: Ctx["settings"], aadText: string, sealed: string): Promise<string | null> {
  for (const master of settings.masterKeys) {
    try {
      return Buffer.from(await unwrap(await importKek(keyOf(master)), sealed, aadText)).toString();
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
    }
  }
  return null;
}
