/** The Stripe SDK over our own way to the network. It is loaded with the first call, never with the Worker. */
import type { Outbound } from "#core/outbound";
import { Problem } from "#core/problem";
import type { Stripe } from "#trimmed/stripe";

export interface StripeAccount {
  secretKey: string;
  webhookSecret: string;
  baseUrl: string;
  outbound: Outbound;
}

const timeoutMs = 10_000;
const stripeOrigin = "https://api.stripe.com";

export async function connect(account: StripeAccount): Promise<Stripe> {
  const { Stripe } = await import("#trimmed/stripe");
  const send = (target: unknown, init?: RequestInit) => {
    const url = String(target).replace(stripeOrigin, account.baseUrl);
    return account.outbound.operator(new Request(url, init), { timeoutMs });
  };
  return new Stripe(account.secretKey, {
    httpClient: Stripe.createFetchHttpClient(send as typeof fetch),
    // The SDK gives each call of ours one idempotency key, so that a repeated one never acts twice.
    maxNetworkRetries: 2,
    timeout: timeoutMs,
    telemetry: false,
  });
}

/** Runs a call and turns what goes wrong into a problem without any of Stripe's words. */
export async function calling<Value>(account: StripeAccount, work: (stripe: Stripe) => Promise<Value>): Promise<Value> {
  try {
    return await work(await connect(account));
  } catch (error) {
    throw toProblem(error);
  }
}

/** Null when what was asked for is not there. */
export async function findOrNull<Value>(call: Promise<Value>): Promise<Value | null> {
  try {
    return await call;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** The company understood and said no: trying again leads to the same. */
export function isRefused(error: unknown): boolean {
  return (error as StripeFailure).type === "StripeInvalidRequestError";
}

interface StripeFailure {
  type?: string;
  code?: string;
  decline_code?: string;
  statusCode?: number;
}

export function isMissing(error: unknown): boolean {
  return (error as StripeFailure).code === "resource_missing";
}

/** A request with the same idempotency key has not ended yet. */
export function isKeyBusy(error: unknown): boolean {
  return (error as StripeFailure).code === "idempotency_key_in_use";
}

/** The idempotency key was used for a request that said something else. */
export function isKeySpent(error: unknown): boolean {
  return (error as StripeFailure).type === "StripeIdempotencyError";
}

function toProblem(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const { type, code, decline_code: declineCode } = Object(error) as StripeFailure;
  if (typeof type !== "string" || !type.startsWith("Stripe")) return error;
  switch (type) {
    case "StripeCardError":
      return new Problem("payment-declined", { members: { declineCode: declineCode ?? code ?? null } });
    case "StripeInvalidRequestError":
    case "StripeIdempotencyError":
      return new Problem("billing-refused", { members: { reason: code ?? null } });
    default:
      return new Problem("billing-unavailable", { headers: { "retry-after": "10" } });
  }
}
