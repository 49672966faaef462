/** Objects as they leave the simulated Stripe: lists with `has_more`, and references that a client wants in full. */
import type { Book } from "./book.ts";
import { invalid } from "./failure.ts";
import { type Form, text, texts, whole } from "./form.ts";

const maxExpands = 20;

export interface WireList<Item> {
  object: "list";
  data: Item[];
  has_more: boolean;
  url: string;
}

/** Newest first; `items` are oldest first, as they were made. */
export function listOf<Item extends { id: string }>(items: readonly Item[], form: Form, url: string): WireList<Item> {
  const limit = whole(form, "limit") ?? 10;
  if (limit < 1 || limit > 100) throw invalid("limit", "From 1 to 100.");
  const newestFirst = items.toReversed();
  const after = text(form, "starting_after");
  const start = after === undefined ? 0 : newestFirst.findIndex(({ id }) => id === after) + 1;
  if (after !== undefined && start === 0) throw invalid("starting_after", "No such object.");
  const data = newestFirst.slice(start, start + limit);
  return { object: "list", data, has_more: start + limit < newestFirst.length, url };
}

/** Replaces the ids at the paths of `expand[]` by what they name. */
export function expanded(book: Book, answer: unknown, form: Form): unknown {
  const copy: unknown = structuredClone(answer);
  for (const path of texts(form, "expand").slice(0, maxExpands)) replace(book, copy, path.split("."));
  return copy;
}

function replace(book: Book, value: unknown, [first = "", ...rest]: string[]): void {
  if (Array.isArray(value)) {
    for (const entry of value) replace(book, entry, [first, ...rest]);
    return;
  }
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, first)) return;
  const holder = value as Record<string, unknown>;
  if (typeof holder[first] === "string") holder[first] = structuredClone(thingOf(book, holder[first]) ?? holder[first]);
  if (rest.length > 0) replace(book, holder[first], rest);
}

function thingOf(book: Book, id: string): object | undefined {
  const all: { id: string }[] = [
    book.customer,
    ...book.subscriptions,
    ...book.schedules,
    ...book.invoices,
    ...book.paymentMethods,
    ...book.sessions,
  ];
  return all.find((thing) => thing.id === id);
}
