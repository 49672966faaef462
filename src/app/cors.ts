/** Cross-origin rules: an exact list of origins and nothing else. A request without an Origin header gets no such headers. */

const allowedHeaders =
  "authorization, content-type, x-api-key, x-turnstile-token, x-workspace-id, idempotency-key, prefer, range, if-range, last-event-id, x-request-id, x-d1-bookmark, x-device-id, x-overtone-resumable";
const exposedHeaders =
  "x-request-id, x-d1-bookmark, x-device-id, x-overtone-stream-id, idempotency-replayed, retry-after, location, content-disposition, content-range, etag, ratelimit, ratelimit-policy, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset";

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
          "access-control-allow-headers": allowedHeaders,
          "access-control-max-age": "7200",
        }
      : {}),
  };
}
