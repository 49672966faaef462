/** The Worker as it is, and beside it the same call passed on without looking at it: what a stream costs the runtime alone. */
import type { Bindings } from "../../../src/core/env.ts";
import worker from "../../../src/index.ts";

export { Hasher, Ledger, RateLimiter, SessionStore, StreamBuffer } from "../../../src/durable/index.ts";

export default {
  ...worker,
  async fetch(request: Request, env: Bindings, execution: ExecutionContext): Promise<Response> {
    if (!request.url.endsWith("/__bench/bare")) return worker.fetch(request, env, execution);
    const upstream = `${(env as unknown as Record<string, string>)["PROVIDER_OPENAI_BASE_URL"]}/chat/completions`;
    return fetch(upstream, { method: "POST", headers: { "content-type": "application/json" }, body: request.body });
  },
};
