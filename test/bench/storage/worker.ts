/** The Worker as it is, with a plain copy of an object beside it: the peer of sealing from storage to storage. */
import worker from "../../../src/index.ts";
import type { Bindings } from "../../../src/core/env.ts";

export { Gate, Hasher, Ledger, RateLimiter, SessionStore, StreamBuffer } from "../../../src/durable/index.ts";

async function copy(env: Bindings, size: number): Promise<Response> {
  const list = await env.FILES.list({ prefix: "w/", limit: 1_000 });
  const source = list.objects.find((object) => object.size === size);
  const object = source ? await env.FILES.get(source.key) : null;
  if (!object) return new Response("nothing to copy", { status: 404 });
  await env.FILES.put("bench/copy", object.body);
  return new Response(String(object.size));
}

export default {
  ...worker,
  fetch(request: Request, env: Bindings, execution: ExecutionContext): Response | Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    return pathname === "/__bench/copy"
      ? copy(env, Number(searchParams.get("size")))
      : worker.fetch(request, env, execution);
  },
};
