/** What the clients of this bar do with the quotas, and what they were answered: the other side of the books. */
import { setTimeout as pause } from "node:timers/promises";
import { call, type Crew } from "../crash/client.ts";
import type { Person } from "../people.ts";

export interface Counts {
  /** How often 200 ask at once, each time after the ones before gave up. */
  crowds: number;
  charges: number;
  kills: number;
  clients: number;
  /** How often a server dies right after it admitted something. */
  promises: number;
}

/** What one workspace was told: amounts that were settled, and reservations of which the end was not asked for yet. */
export interface Books {
  person: Person;
  limit: number | null;
  settled: Map<string, number>;
  held: Map<string, number>;
  refused: number;
  abandoned: number;
  /** The most that ever was settled and held at once, as far as the clients know. */
  highest: number;
}

export function newBooks(person: Person, limit: number | null): Books {
  return { person, limit, settled: new Map(), held: new Map(), refused: 0, abandoned: 0, highest: 0 };
}

export function settledSum({ settled }: Books): number {
  return [...settled.values()].reduce((sum, amount) => sum + amount, 0);
}

function note(books: Books): void {
  const held = [...books.held.values()].reduce((sum, amount) => sum + amount, 0);
  books.highest = Math.max(books.highest, settledSum(books) + held);
}

export const longTtlMs = 120_000;
export const shortTtlMs = 15_000;

type Act = "reserve" | "charge" | "settle" | "release";

/** True: done. False: refused for want of quota. It goes on through kills with the same id until it is answered. */
export async function act(
  crew: Crew,
  books: Books,
  asked: { act: Act; id: string; amount: number; ttlMs?: number },
): Promise<boolean> {
  const body = { ttlMs: longTtlMs, ...asked, limit: books.limit };
  const { token } = books.person;
  const answer = await call(crew, {
    method: "POST",
    path: "/v1/bar/ledger",
    token,
    body,
    key: `${asked.act}-${asked.id}`,
  });
  if (answer.status === 200) return true;
  if (answer.status === 429 && answer.body.code === "quota-exceeded") return false;
  throw new Error(`${asked.act} answered ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** One piece of work: a charge in one step, or a reservation that is settled, given back or left behind. */
async function doOne(crew: Crew, books: Books, id: string): Promise<void> {
  const amount = crew.chance.between(1, 60);
  const way = crew.chance.next();
  if (way < 0.3) {
    if (!(await act(crew, books, { act: "charge", id, amount }))) return void (books.refused += 1);
    books.settled.set(id, amount);
    return note(books);
  }
  const isAbandoned = way > 0.92;
  const ttlMs = isAbandoned ? shortTtlMs : longTtlMs;
  if (!(await act(crew, books, { act: "reserve", id, amount, ttlMs }))) return void (books.refused += 1);
  if (isAbandoned) return void (books.abandoned += 1);
  books.held.set(id, amount);
  note(books);
  await pause(crew.chance.between(0, 30));
  const gives = way > 0.85;
  const actual = gives ? 0 : crew.chance.between(0, amount);
  await act(crew, books, gives ? { act: "release", id, amount } : { act: "settle", id, amount: actual });
  books.held.delete(id);
  if (!gives) books.settled.set(id, actual);
  note(books);
}

export interface Work {
  finished: Promise<void>;
  /** How many pieces are done. */
  done(): number;
  /** Lets so many pieces begin, of all. */
  admit(pieces: number): void;
}

/** The clients work off the pieces one after the other; `admit` holds them back so that every life of the server has its share. */
export function startWork(crew: Crew, books: readonly Books[], counts: Counts): Work {
  let next = 0;
  let done = 0;
  let admitted = 0;
  const client = async () => {
    while (next < counts.charges) {
      if (next >= admitted) {
        await pause(5);
        continue;
      }
      const index = next;
      next += 1;
      const mine = books[index % books.length];
      if (mine) await doOne(crew, mine, `piece-${index}`);
      done += 1;
    }
  };
  const clients = Array.from({ length: counts.clients }, () => client());
  const finished = Promise.all(clients).then(() => undefined);
  return { finished, done: () => done, admit: (pieces) => void (admitted = pieces) };
}
