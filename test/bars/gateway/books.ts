/** What the provider was asked and what it sent: the truth of this bar, because the product has no part in it. */
import type { Act, Task, Usage } from "./tasks.ts";

export type Provider = "one" | "two";

/** One request that the product made. */
export interface Asking {
  provider: Provider;
  /** Of the caller's request, as the product names it. */
  requestId: string;
  act: Act | null;
  atMs: number;
  /** What the whole answer would say. */
  text: string;
  /** Pieces that were written. */
  sent: number;
  /** Written, whether or not anybody read it. */
  usage: Usage | null;
  /** `whole`: to its end; `broken`: by our own fault; `left`: the product hung up. Null: under way. */
  end: "whole" | "broken" | "left" | null;
  endedAtMs: number;
  /** The product hung up so soon after the end that it may not have read it. */
  hungUp: boolean;
}

export interface Books {
  expect(task: Task): void;
  taskOf(id: number): Task | null;
  askingsOf(id: number): readonly Asking[];
  add(id: number, asking: Asking): void;
  /** Resolves when the provider is asked for the first time. */
  asked(id: number): Promise<void>;
  underWay(): number;
  askings(): number;
}

export function openBooks(): Books {
  const tasks = new Map<number, Task>();
  const all = new Map<number, Asking[]>();
  const firsts = new Map<number, PromiseWithResolvers<void>>();
  const firstOf = (id: number) => {
    const known = firsts.get(id) ?? Promise.withResolvers<void>();
    firsts.set(id, known);
    return known;
  };
  return {
    expect(task) {
      tasks.set(task.id, task);
      all.set(task.id, []);
    },
    taskOf: (id) => tasks.get(id) ?? null,
    askingsOf: (id) => all.get(id) ?? [],
    add(id, asking) {
      all.get(id)?.push(asking);
      firstOf(id).resolve();
    },
    asked: (id) => firstOf(id).promise,
    underWay: () => [...all.values()].flat().filter(({ end }) => end === null).length,
    askings: () => [...all.values()].flat().length,
  };
}
