/**
 * Places for so many requests of one principal at once. In memory only: an object that nobody asks for a minute may be removed, and then forgets a long
 * stream. Each place lapses by itself, for an isolate that vanished does not leave it.
 */

export interface Slots {
  /** False: all are taken. The same id again is the same place. */
  enter(request: { id: string; most: number; nowMs: number }): boolean;
  leave(id: string): void;
}

/** Longer than any request: a stream ends after 15 minutes. */
const lapseMs = 1_000_000;

export function openSlots(): Slots {
  const taken = new Map<string, number>();
  return {
    enter({ id, most, nowMs }) {
      for (const [other, lapsesAtMs] of taken) if (lapsesAtMs <= nowMs) taken.delete(other);
      if (taken.size >= most && !taken.has(id)) return false;
      taken.set(id, nowMs + lapseMs);
      return true;
    },
    leave: (id) => void taken.delete(id),
  };
}
