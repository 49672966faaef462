/** Cross-origin rules: an exact list of origins and nothing else. A request without an Origin header gets no such headers. */

const allowedHeaders = [
  "authorization, content-type, x-api-key, x-turnstile-token, x-workspace-id, idempotency-key, prefer, range, if-range, last-event-id",
  "x-request-id, x-d1-bookmark, x-device-id, x-overtone-resumable, x-overtone-cache, x-overtone-cache-seconds, x-overtone-timeout-ms",
  "x-overtone-first-byte-timeout-ms, x-overtone-idle-timeout-ms, x-overtone-log, openai-organization, openai-project",
  // What Uppy sends to Companion's routes.
  "accept, origin, uppy-auth-token, uppy-credentials-params",
].join(", ");
const exposedHeaders = [
  "x-request-id, x-d1-bookmark, x-device-id, idempotency-replayed, retry-after, location, content-disposition, content-range, etag",
  "ratelimit, ratelimit-policy, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, x-should-retry, x-overtone-stream-id",
  "x-overtone-attempts, x-overtone-cache, x-overtone-cost-micro-usd, x-overtone-budget-remaining-micro-usd, x-overtone-model",
  "x-overtone-provider, x-overtone-tokens-remaining",
].join(", ");
/** The official OpenAI SDK describes itself in headers of this kind, new ones with each release. */
const sdkHeader = /^x-stainless-[a-z-]{1,40}$/;
const maxSdkHeaders = 20;

function sdkHeadersOf(request: Request): string[] {
  const asked = (request.headers.get("access-control-request-headers") ?? "").toLowerCase().split(",", 100);
  return asked
    .map((name) => name.trim())
    .filter((name) => sdkHeader.test(name))
    .slice(0, maxSdkHeaders);
}

export function corsHeaders(request: Request, allowedOrigins: readonly string[]): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null) return {};
  if (!allowedOrigins.includes(origin)) return { vary: "origin" };
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": exposedHeaders,
    vary: "origin",
    ...(request.method === "OPTIONS"
      ? {
          "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
          "access-control-allow-headers": [allowedHeaders, ...sdkHeadersOf(request)].join(", "),
          "access-control-max-age": "7200",
        }
      : {}),
  };
}
