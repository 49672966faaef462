/** The Worker as it is, with three additions for the bench: slow far-away calls, a loop over the credential check alone, and one hash. */
import worker from "../../../src/index.ts";
import { requireAccess, signIn } from "../../../src/app/credentials.ts";
import { makeContext } from "../../../src/app/context.ts";
import { hashPassword } from "../../../src/durable/hasher/client.ts";
import type { Bindings } from "../../../src/core/env.ts";
import { slowBindings } from "./slow-bindings.ts";

export { Gate, Hasher, Ledger, RateLimiter, SessionStore, StreamBuffer } from "../../../src/durable/index.ts";

async function checkManyTimes(request: Request, env: Bindings, execution: ExecutionContext): Promise<Response> {
  const times = Number(new URL(request.url).searchParams.get("times"));
  const ctx = makeContext(env, execution, { origin: { address: "bench", userAgent: "bench" } });
  const spec = { access: "jobs:read", name: "listJobs", path: "/v1/jobs" } as const;
  for (let count = 0; count < times; count += 1)
    requireAccess(await signIn(ctx, request, { spec, workspaceId: null }), spec);
  return new Response(String(times));
}

export default {
  ...worker,
  async fetch(request: Request, env: Bindings, execution: ExecutionContext): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/__bench/check") return checkManyTimes(request, env, execution);
    if (pathname === "/__bench/hash")
      return Response.json(await hashPassword(env.HASHER, "a long enough bench secret"));
    const delay = request.headers.get("x-bench-delay-ms");
    return worker.fetch(request, delay === null ? env : slowBindings(env, Number(delay)), execution);
  },
};
