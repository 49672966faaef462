/** The object bindings as tests see them, and ids that no other test uses. */
import { env } from "cloudflare:workers";
import type { Bindings } from "#core/env";
import { makeId, type IdKind } from "#core/ids";

export const objects = env as unknown as Pick<
  Bindings,
  "SESSION_STORE" | "RATE_LIMITER" | "LEDGER" | "HASHER" | "STREAM_BUFFER" | "GATE"
>;

export function freshId(kind: IdKind): string {
  return makeId(kind, Date.now(), crypto.getRandomValues(new Uint8Array(16)));
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
