/** The envelope and the keyed hash of a key that a workspace brought. */
import { createHmac } from "node:crypto";
import type { Ctx } from "#core/context";
import type { MasterKey } from "#core/env";
import { openSecret, type SealedSecret, sealSecret, type SecretName } from "#core/sealed-secret";
import { deriveKey } from "#lib/envelope";
import type { ProviderKeyRow } from "./tables.ts";

type Named = Pick<ProviderKeyRow, "workspaceId" | "provider" | "id">;

/** Bound to workspace, provider and key: an envelope in another row does not open. */
function secretNameOf({ workspaceId, provider, id }: Named): SecretName {
  return { purpose: "provider key", name: `${workspaceId} ${provider} ${id}` };
}

export async function sealKey(
  ctx: Pick<Ctx, "settings" | "random">,
  row: Named,
  text: string,
): Promise<SealedSecret & { hash: string }> {
  const sealed = await sealSecret(ctx, secretNameOf(row), text);
  return { ...sealed, hash: hashOf(ctx.settings.masterKeys[0], row, text) };
}

export function openKey(ctx: Pick<Ctx, "settings">, row: ProviderKeyRow): Promise<string> {
  return openSecret(ctx, secretNameOf(row), row);
}

/** Under each master key that there is: a row keeps the hash of the one that wraps it. */
export function hashesOf(ctx: Pick<Ctx, "settings">, row: Named, text: string): string[] {
  return ctx.settings.masterKeys.map((master) => hashOf(master, row, text));
}

/** Different in each workspace, so that nobody learns from the table who shares a key. */
function hashOf(master: MasterKey, { workspaceId, provider }: Named, text: string): string {
  const key = deriveKey(master.raw, "overtone provider key hash");
  return createHmac("sha256", key).update(`${workspaceId}\n${provider}\n${text}`).digest("base64url");
}
