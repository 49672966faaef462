/** The only caller of `fetch`. Every call has a time-out and follows no redirect: a redirect may lead where nobody allowed it to. */
import type { Outbound, OutboundOptions } from "#core/outbound";

export const outbound: Outbound = {
  operator: (request: Request, { timeoutMs }: OutboundOptions) =>
    fetch(
      new Request(request, {
        redirect: "manual",
        signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]),
      }),
    ),
};
