/** The secrets that sign deliveries (Standard Webhooks 1.0): made here, stored in envelopes only, opened only to sign. */
import { createHmac } from "node:crypto";
import type { Ctx } from "#core/context";
import type { MasterKey } from "#core/env";
import { Problem } from "#core/problem";
import { deriveKey, importKek, unwrap, wrap } from "#lib/envelope";
import type { WebhookRow } from "./tables.ts";

const secretBytes = 32;
const prefix = "whsec_";

interface Wrapped {
  wrappedSecret: string;
  masterVersion: number;
}

function kekOf(master: MasterKey): Promise<CryptoKey> {
  return importKek(deriveKey(master.raw, "overtone webhook secret wrapping"));
}

const nameOf = (workspaceId: string, id: string) => `webhook secret ${workspaceId} ${id}`;

/** A new secret as the receiver gets it, and as it is stored. */
export async function makeSecret(
  ctx: Pick<Ctx, "settings" | "random"> & { workspaceId: string },
  webhookId: string,
): Promise<Wrapped & { text: string }> {
  const text = `${prefix}${ctx.random(secretBytes).toBase64()}`;
  return { text, ...(await wrapSecret(ctx, { workspaceId: ctx.workspaceId, id: webhookId }, text)) };
}

async function wrapSecret(
  ctx: Pick<Ctx, "settings" | "random">,
  hook: Pick<WebhookRow, "workspaceId" | "id">,
  text: string,
): Promise<Wrapped> {
  const [master] = ctx.settings.masterKeys;
  const aadText = nameOf(hook.workspaceId, hook.id);
  const wrappedSecret = await wrap(await kekOf(master), new TextEncoder().encode(text), {
    aadText,
    random: ctx.random,
  });
  return { wrappedSecret, masterVersion: master.version };
}

async function openSecret(ctx: Pick<Ctx, "settings">, hook: WebhookRow, stored: Wrapped): Promise<string> {
  const master = ctx.settings.masterKeys.find(({ version }) => version === stored.masterVersion);
  if (!master) throw new Problem("unavailable", { detail: "The master key of this webhook is not configured." });
  const opened = await unwrap(await kekOf(master), stored.wrappedSecret, nameOf(hook.workspaceId, hook.id));
  return new TextDecoder().decode(opened);
}

function oldOf(hook: WebhookRow): (Wrapped & { until: number }) | null {
  const { oldWrappedSecret: wrappedSecret, oldMasterVersion: masterVersion, oldSecretUntil: until } = hook;
  return wrappedSecret === null || masterVersion === null || until === null
    ? null
    : { wrappedSecret, masterVersion, until };
}

/** The secrets that sign now: the current one and, after a rotation, the one before. */
export async function secretsOf(ctx: Pick<Ctx, "settings" | "now">, hook: WebhookRow): Promise<string[]> {
  const old = oldOf(hook);
  const secrets = [await openSecret(ctx, hook, hook)];
  if (old && old.until > ctx.now()) secrets.push(await openSecret(ctx, hook, old));
  return secrets;
}

/** The columns of a webhook under the current master key; null when they already are. */
export async function rewrapped(
  ctx: Pick<Ctx, "settings" | "random">,
  hook: WebhookRow,
): Promise<Partial<WebhookRow> | null> {
  const { version } = ctx.settings.masterKeys[0];
  const old = oldOf(hook);
  if (hook.masterVersion === version && (old === null || old.masterVersion === version)) return null;
  const current = await wrapSecret(ctx, hook, await openSecret(ctx, hook, hook));
  if (!old) return current;
  const before = await wrapSecret(ctx, hook, await openSecret(ctx, hook, old));
  return { ...current, oldWrappedSecret: before.wrappedSecret, oldMasterVersion: before.masterVersion };
}

/** What the header `webhook-signature` says for one secret (Standard Webhooks 1.0: HMAC-SHA256 over id, seconds and body). */
export function signatureOf(secret: string, signed: { id: string; atSeconds: number; body: string }): string {
  const key = Uint8Array.fromBase64(secret.slice(prefix.length));
  const text = `${signed.id}.${signed.atSeconds}.${signed.body}`;
  return `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
}
