/**
 * What became of the requests, in numbers that a test reads at `counters`: above all, whether a client's disconnect was seen. Held in the
 * isolate's memory, bounded; whoever asks must know the model and the user, nothing is listed.
 */
import { BoundedMap } from "#lib/bounded-map";
import { hashOf } from "./dice.ts";

export interface Counts {
  requests: number;
  /** Answered to the end, also with an error. */
  finished: number;
  /** The client went away first. */
  aborted: number;
  /** Broken off by a fault. */
  broken: number;
  /** Tokens of the answers that left, chunk by chunk in streams. */
  tokens: number;
}

export type Ending = "finished" | "aborted" | "broken";

const maxSubjects = 1_000;
const none = (): Counts => ({ requests: 0, finished: 0, aborted: 0, broken: 0, tokens: 0 });

const total = none();
const bySubject = new BoundedMap<string, Counts>(maxSubjects);
const failuresBySubject = new BoundedMap<string, number>(maxSubjects);

const subjectOf = (model: string, user: string | null) => hashOf(JSON.stringify([model, user]));

export interface Tally {
  tokens(count: number): void;
  /** Only the first call counts. */
  end(ending: Ending): void;
}

/** Opens the count of one request. */
export function openTally({ model, user }: { model: string; user: string | null }): Tally {
  const subjects = [...new Set([subjectOf(model, null), subjectOf(model, user)])];
  const all = [total, ...subjects.map(countsOf)];
  for (const counts of all) counts.requests += 1;
  let isOpen = true;
  return {
    tokens: (count) => {
      for (const counts of all) counts.tokens += count;
    },
    end: (ending) => {
      if (!isOpen) return;
      isOpen = false;
      for (const counts of all) counts[ending] += 1;
    },
  };
}

function countsOf(subject: string): Counts {
  const counts = bySubject.get(subject) ?? none();
  bySubject.set(subject, counts);
  return counts;
}

/** All requests without a model; else those of the model, and of the user when one is named. */
export function readCounts(model: string | null, user: string | null): Counts {
  return model === null ? total : (bySubject.get(subjectOf(model, user)) ?? none());
}

/** How many requests of this kind came before, as far as they are remembered. */
export function countAttempt(model: string, about: string): number {
  const subject = subjectOf(model, about);
  const before = failuresBySubject.get(subject) ?? 0;
  failuresBySubject.set(subject, before + 1);
  return before;
}
