/** The Worker as it is, with a loop over the check of a credential: from memory, or read anew as operations on keys and money ask for. */
import { makeContext } from "../../../src/app/context.ts";
import { requireAccess, signIn } from "../../../src/app/credentials.ts";
import type { Bindings } from "../../../src/core/env.ts";
import worker from "../../../src/index.ts";

export { Gate, Hasher, Ledger, RateLimiter, SessionStore, StreamBuffer } from "../../../src/durable/index.ts";

const specs = {
  cached: { access: "jobs:read", name: "listJobs", path: "/v1/jobs" },
  fresh: { access: "api-keys:read", name: "listApiKeys", path: "/v1/api-keys" },
} as const;

async function checkManyTimes(request: Request, env: Bindings, execution: ExecutionContext): Promise<Response> {
  const { searchParams } = new URL(request.url);
  const spec = searchParams.get("fresh") === "true" ? specs.fresh : specs.cached;
  const ctx = makeContext(env, execution, { origin: { address: "bench", userAgent: "bench" } });
  for (let count = 0; count < Number(searchParams.get("times")); count += 1)
    requireAccess(await signIn(ctx, request, { spec, workspaceId: null }), spec);
  return new Response(searchParams.get("times"));
}

export default {
  ...worker,
  async fetch(request: Request, env: Bindings, execution: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname === "/__bench/check") return checkManyTimes(request, env, execution);
    return worker.fetch(request, env, execution);
  },
};
