/**
 * The Worker as it is, and beside it the same call passed on without looking at it: what a call costs the runtime alone. Both reach the provider by
 * a binding of the network: the global fetch of the development server leads through a Worker of its own, which no deployment has.
 */
import type { Bindings } from "../../../src/core/env.ts";
import worker from "../../../src/index.ts";

export { Gate, Hasher, Ledger, RateLimiter, SessionStore, StreamBuffer } from "../../../src/durable/index.ts";

export default {
  ...worker,
  async fetch(request: Request, env: Bindings, execution: ExecutionContext): Promise<Response> {
    const { NETWORK: network } = env as unknown as { NETWORK: Fetcher };
    globalThis.fetch = network.fetch.bind(network);
    if (!request.url.endsWith("/__bench/bare")) return worker.fetch(request, env, execution);
    const upstream = `${(env as unknown as Record<string, string>)["PROVIDER_OPENAI_BASE_URL"]}/chat/completions`;
    return network.fetch(upstream, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: request.body,
    });
  },
};
