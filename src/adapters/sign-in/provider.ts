/** What every provider of sign-in can do here, and how a failure of one is told. Decides nothing about accounts. */
import type { SignInProvider } from "#core/env";
import type { Outbound } from "#core/outbound";
import { Problem } from "#core/problem";

/** One round trip to a provider: what it must give back unchanged. */
export interface RoundTrip {
  redirectUri: string;
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** Whom the provider says it has before it. `issuer` and `subject` name that person for ever. */
export interface ProviderIdentity {
  issuer: string;
  subject: string;
  email: string | null;
  emailVerified: boolean;
  displayName: string | null;
}

export interface ProviderCall {
  config: SignInProvider;
  outbound: Outbound;
  /** Plain http to the provider: for issuers on loopback, never in production. */
  allowsHttp: boolean;
  nowMs: number;
}

export interface Provider {
  authorizationUrl(call: ProviderCall, trip: RoundTrip): Promise<URL>;
  /** Exchanges the code of the callback. Throws the problems of `toProblem`. */
  identify(call: ProviderCall, trip: RoundTrip, callback: URLSearchParams): Promise<ProviderIdentity>;
}

const timeoutMs = 10_000;

interface LibraryRequest {
  method?: string | undefined;
  headers?: HeadersInit | undefined;
  body?: BodyInit | null | undefined;
}

/** The library's way to the network: ours, with a time-out and without redirects. */
export function throughOutbound(outbound: Outbound) {
  return (url: string, { method, headers, body }: LibraryRequest): Promise<Response> =>
    outbound.operator(
      new Request(url, {
        ...(method === undefined ? {} : { method }),
        ...(headers === undefined ? {} : { headers }),
        ...(body === undefined ? {} : { body }),
      }),
      { timeoutMs },
    );
}

/**
 * `sign-in-refused`: the person or the provider said no. `sign-in-state-invalid`: the answer is not one to our question (another issuer,
 * state or nonce). Everything else of the library or the network is `sign-in-provider-failed`; a vendor's words never leave.
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "OAUTH_AUTHORIZATION_RESPONSE_ERROR") return new Problem("sign-in-refused");
  const ours = error instanceof Error && /"(iss|state|nonce)"/.test(error.message);
  if (code === "OAUTH_INVALID_RESPONSE" || code === "OAUTH_JWT_CLAIM_COMPARISON_FAILED")
    return new Problem(ours ? "sign-in-state-invalid" : "sign-in-provider-failed");
  return new Problem("sign-in-provider-failed");
}
