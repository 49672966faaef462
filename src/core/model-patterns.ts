/** Lists of models that somebody may use: ids, or patterns in which `*` stands for any run of characters. */
import * as z from "zod";
import { matchesAny } from "./sub-user.ts";

const maxPatterns = 100;

/** An empty list would read as "any" to one and as "none" to another: there is none. */
export const modelPatterns = () =>
  z
    .array(z.string().regex(/^[\x21-\x7e]{1,300}$/, "is no id of a model and no pattern of one"))
    .min(1)
    .max(maxPatterns);

/** Is each text that an inner pattern stands for one that an outer one stands for? An outer literal never equals an inner `*`. */
export function areWithin(inner: readonly string[], outer: readonly string[]): boolean {
  return inner.every((pattern) => matchesAny(outer, pattern));
}
