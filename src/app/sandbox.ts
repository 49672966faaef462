/**
 * Where the simulated companies are mounted: for people and programs at /__sandbox, and for our own calls without the network, because a
 * Worker cannot call itself by its address. `SANDBOX=off` removes both.
 */
import type { Bindings } from "#core/env";
import type { Outbound } from "#core/outbound";
// Not with the first request to it: in one file, what a module imported later imports waits in functions of its own, and that is the ORM here.
import { answerSandbox } from "#sandbox/index";
import type { AppCtx, Execution } from "./app-context.ts";

type Dispatch = (request: Request, env: Bindings, execution: Execution) => Response | Promise<Response>;

/** The HTTP side is handed in by `app/http.ts`, which imports the context and would otherwise close an import cycle. */
let dispatch: Dispatch | null = null;

export function registerDispatch(given: Dispatch): void {
  dispatch = given;
}

export async function answerFromSandbox(ctx: AppCtx, request: Request): Promise<Response> {
  const deliver = async (delivery: Request): Promise<Response> => {
    if (!dispatch) throw new Error("no HTTP side is registered");
    return dispatch(delivery, ctx.env, ctx.execution);
  };
  return answerSandbox({ ...ctx, deliver }, request);
}

/** Our own calls to a simulated company stay in the Worker; all others take the way that they always take. */
export function withSandbox(inner: Outbound, contextOf: () => AppCtx): Outbound {
  const isOurs = ({ url }: { url: string }): boolean => {
    const { settings } = contextOf();
    return settings.sandbox && url.startsWith(`${settings.publicUrl}/__sandbox/`);
  };
  const answerInTime = (request: Request, tooLate: AbortSignal): Promise<Response> => {
    const aborted = new Promise<never>((_, reject) => {
      tooLate.addEventListener("abort", () => reject(tooLate.reason as Error), { once: true });
    });
    return Promise.race([answerFromSandbox(contextOf(), request), aborted]);
  };
  return {
    ...inner,
    operator: (request, options) =>
      isOurs(request)
        ? answerInTime(request, AbortSignal.any([request.signal, AbortSignal.timeout(options.timeoutMs)]))
        : inner.operator(request, options),
    operatorStream: (call, options) =>
      isOurs(call)
        ? answerInTime(
            new Request(call.url, call),
            AbortSignal.any([call.signal, AbortSignal.timeout(options.headersTimeoutMs)]),
          )
        : inner.operatorStream(call, options),
  };
}
