/**
 * Asks a provider whether it accepts a key, by a call that costs nothing. Only the status is looked at: what a provider says may hold the
 * key itself.
 */
import type { Outbound } from "#core/outbound";
import { TenantCallError } from "#core/outbound";
import { isProviderName, type ProviderFacts, providers } from "./catalogue.ts";

/** `unknown`: the provider did not say. */
export type KeyVerdict = "accepted" | "refused" | "unknown";

export interface KeyToCheck {
  provider: string;
  /** Without a slash at the end. */
  baseUrl: string;
  secret: string;
  /** The address was named by a tenant. */
  isTenantUrl: boolean;
}

export interface KeyChecked {
  verdict: KeyVerdict;
  status: number | null;
}

/** Providers of speech have keys, too. */
export const elevenLabs = { name: "elevenlabs", baseUrl: "https://api.elevenlabs.io/v1" } as const;

/** The list of models is public there: a key is only judged by an operation that needs one. */
const withPublicModels = ["a4f", "glama", "requesty", "aiml"];
const timeoutMs = 10_000;
const anthropicVersion = "2023-06-01";

/** The address that a provider has for everybody, or null. */
export function addressOf(provider: string): string | null {
  if (provider === elevenLabs.name) return elevenLabs.baseUrl;
  const facts: ProviderFacts | null = isProviderName(provider) ? providers[provider] : null;
  return facts?.baseUrl ?? null;
}

export async function checkKey(outbound: Outbound, key: KeyToCheck): Promise<KeyChecked> {
  if (withPublicModels.includes(key.provider)) return byEmptyChat(outbound, key);
  const checked = await byModels(outbound, key);
  const hasNoList = checked.status === 404 || checked.status === 405;
  return key.isTenantUrl && hasNoList ? byEmptyChat(outbound, key) : checked;
}

async function byModels(outbound: Outbound, key: KeyToCheck): Promise<KeyChecked> {
  // OpenRouter's list is public, but it tells a key about itself.
  const path = key.provider === "openrouter" && !key.isTenantUrl ? "/key" : "/models";
  const status = await ask(outbound, key, new Request(`${key.baseUrl}${path}`, { headers: headersOf(key) }));
  return { verdict: verdictOf(status, { isEmptyChat: false }), status };
}

/** Whoever is let in is told that the request is empty; nothing is generated. */
async function byEmptyChat(outbound: Outbound, key: KeyToCheck): Promise<KeyChecked> {
  const request = new Request(`${key.baseUrl}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headersOf(key) },
    body: "{}",
  });
  const status = await ask(outbound, key, request);
  return { verdict: verdictOf(status, { isEmptyChat: true }), status };
}

function headersOf({ provider, secret }: KeyToCheck): Record<string, string> {
  if (provider === "anthropic") return { "x-api-key": secret, "anthropic-version": anthropicVersion };
  if (provider === elevenLabs.name) return { "xi-api-key": secret };
  return { authorization: `Bearer ${secret}` };
}

/** Null: no answer. */
async function ask(outbound: Outbound, key: KeyToCheck, request: Request): Promise<number | null> {
  try {
    if (key.isTenantUrl) return (await outbound.tenant(request, { timeoutMs, bodyBytesMax: 0 })).status;
    const answer = await outbound.operator(request, { timeoutMs });
    await answer.body?.cancel();
    return answer.status;
  } catch (error) {
    // An address that may not be called is the caller's fault, not the provider's.
    if (error instanceof TenantCallError && error.fault === "refused") throw error;
    return null;
  }
}

const complaints = [400, 404, 413, 415, 422];

function verdictOf(status: number | null, { isEmptyChat }: { isEmptyChat: boolean }): KeyVerdict {
  if (status === null) return "unknown";
  if (status === 401 || status === 403) return "refused";
  // 402: the key is known, its account is empty.
  if ((status >= 200 && status < 300) || status === 402) return "accepted";
  return isEmptyChat && complaints.includes(status) ? "accepted" : "unknown";
}
