/** How counters of the book are told to whoever looks. Changes nothing that counts. */
import { type Book, counterAt, type Lease, stateOf } from "./book.ts";
import { metered, meteredNames, type MeterState, type ScopeKind } from "./meters.ts";

const maxScopes = 2_000;

/** The counters in which a reservation stands. */
export function statesOf(book: Book, lease: Lease): MeterState[] {
  const keys = new Set(lease.parts.flatMap(({ counters }) => counters));
  return [...keys].flatMap((key) => {
    const counter = book.counters.get(key);
    return counter ? [stateOf(book, counter)] : [];
  });
}

/** All meters of the workspace in the periods that run now. */
export function statesNow(book: Book, nowMs: number): MeterState[] {
  return meteredNames.map((meter) => {
    const place = { meter, scope: "workspace", scopeId: "", span: metered[meter].period } as const;
    return stateOf(book, counterAt(book, place, nowMs));
  });
}

/** What the users, keys or models of the workspace used in the periods that run now. */
export function statesOfScope(
  book: Book,
  { scope, scopeId, nowMs }: { scope: ScopeKind; scopeId?: string; nowMs: number },
): MeterState[] {
  return [...book.counters.values()]
    .filter((counter) => {
      const isAsked = counter.scope === scope && (scopeId === undefined || counter.scopeId === scopeId);
      return isAsked && counter.endMs !== null && counter.startMs <= nowMs && nowMs < counter.endMs;
    })
    .slice(0, maxScopes)
    .map((counter) => stateOf(book, counter));
}
