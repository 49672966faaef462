/**
 * The text of kept streams is sealed before it leaves the Worker: each stream has a key of its own, and that lies beside it in an envelope under the
 * master key. A part that was moved to another place or stream does not open.
 */
import type { Ctx } from "#core/context";
import { openSecret, sealSecret } from "#core/sealed-secret";
import type { Part } from "#durable/stream-buffer/client";
import { importKek } from "#lib/envelope";

const keyBytes = 32;
const nonceBytes = 12;

export interface StreamKey {
  streamId: string;
  key: CryptoKey;
}

const sealing = (streamId: string) => ({ purpose: "model-streams", name: streamId });

export async function newStreamKey(ctx: Pick<Ctx, "settings" | "random">, streamId: string) {
  const raw = ctx.random(keyBytes);
  const { wrappedSecret: wrappedKey, masterVersion } = await sealSecret(ctx, sealing(streamId), raw.toBase64());
  return { key: { streamId, key: await importKek(raw) }, wrappedKey, masterVersion };
}

/** Throws `unavailable` while the master key is not configured here. */
export async function openStreamKey(
  ctx: Pick<Ctx, "settings">,
  streamId: string,
  { wrappedKey, masterVersion }: { wrappedKey: string; masterVersion: number },
): Promise<StreamKey> {
  const stored = { wrappedSecret: wrappedKey, masterVersion };
  const raw = Uint8Array.fromBase64(await openSecret(ctx, sealing(streamId), stored));
  return { streamId, key: await importKek(raw) };
}

function gcm(iv: Uint8Array<ArrayBuffer>, { streamId }: StreamKey, { firstId, count }: Omit<Part, "sealed">) {
  return { name: "AES-GCM", iv, additionalData: Buffer.from(`${streamId} ${firstId} ${count}`) };
}

export async function sealPart(
  ctx: Pick<Ctx, "random">,
  key: StreamKey,
  { text, ...place }: Omit<Part, "sealed"> & { text: string },
): Promise<Part> {
  const iv = ctx.random(nonceBytes);
  const sealed = await crypto.subtle.encrypt(gcm(iv, key, place), key.key, Uint8Array.from(Buffer.from(text)));
  return { ...place, sealed: Uint8Array.from(Buffer.concat([iv, new Uint8Array(sealed)])) };
}

/** Throws when the part is not what was sealed at this place. */
export async function openPart(key: StreamKey, { sealed, ...place }: Part): Promise<string> {
  const iv = sealed.slice(0, nonceBytes);
  const text = await crypto.subtle.decrypt(gcm(iv, key, place), key.key, sealed.slice(nonceBytes));
  return Buffer.from(text).toString("utf8");
}
