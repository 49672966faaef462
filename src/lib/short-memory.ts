/**
 * What an isolate remembers of the database for some seconds: values, never promises, because a promise of one request may not be awaited
 * by another in this runtime. Bounded in number and age; it decides nothing about what is too old for whom.
 */
import { BoundedMap } from "./bounded-map.ts";

export interface Reading<Value> {
  nowMs: number;
  read(): Promise<Value>;
  /** Runs work after the answer: an entry past half its life is read anew there, so that a busy isolate never waits. */
  later(work: Promise<unknown>): void;
}

export interface ShortMemory<Value> {
  get(name: string, reading: Reading<Value>): Promise<Value>;
  /** What is being read at this moment is not kept either: it may be from before the change. */
  forget(name: string): void;
  /** Forgets everything and tells how much that was. */
  clear(): number;
}

interface Entry<Value> {
  value: Value;
  readAtMs: number;
  refreshAtMs: number;
}

/** @param maxAgeMs no value is used for longer than this after its reading began. */
export function shortMemory<Value>({ capacity, maxAgeMs }: { capacity: number; maxAgeMs: number }): ShortMemory<Value> {
  const entries = new BoundedMap<string, Entry<Value>>(capacity);
  let generation = 0;

  async function readAnew(name: string, { nowMs, read }: Reading<Value>): Promise<Value> {
    const begun = generation;
    const value = await read();
    if (begun === generation) entries.set(name, { value, readAtMs: nowMs, refreshAtMs: nowMs + maxAgeMs / 2 });
    return value;
  }

  return {
    async get(name, reading) {
      const known = entries.get(name);
      const { nowMs } = reading;
      // A clock that was set back makes an entry of the future: it is not trusted.
      if (!known || nowMs - known.readAtMs >= maxAgeMs || nowMs < known.readAtMs) return readAnew(name, reading);
      if (nowMs >= known.refreshAtMs) {
        // One reader is enough; should it be lost with its request, the entry's own age ends the matter.
        known.refreshAtMs = known.readAtMs + maxAgeMs;
        reading.later(readAnew(name, reading));
      }
      return known.value;
    },
    forget(name) {
      generation += 1;
      entries.delete(name);
    },
    clear() {
      generation += 1;
      return entries.clear();
    },
  };
}
