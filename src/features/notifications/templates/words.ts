/**
 * Values on their way into a mail: one line each and of bounded length. What a person wrote about themselves (a name, a workspace) must not
 * start a header, add a paragraph of its own or turn the reading direction of the words around it.
 */
import type { Moment } from "../mail-data.ts";

const controls = /[\p{Cc}\p{Zl}\p{Zp}\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]+/gu;

/** Without controls, line ends and marks of direction; cut after `maxCharacters`. */
export function oneLine(value: string | number, maxCharacters = 100): string {
  const words = String(value).replace(controls, " ").replace(/ {2,}/g, " ").trim();
  const characters = Array.from(words);
  return characters.length <= maxCharacters ? words : `${characters.slice(0, maxCharacters - 1).join("")}…`;
}

/** A web address, or none: no other scheme gets into a mail. */
export function webAddress(value: string): string | null {
  const url = URL.parse(value);
  return url && (url.protocol === "https:" || url.protocol === "http:") ? url.href : null;
}

/** `21 November 2026, 16:40 UTC`. */
export function momentWords(moment: Moment): string {
  const date = new Date(moment);
  if (Number.isNaN(date.getTime())) return oneLine(moment, 40);
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  return `${day}, ${date.toISOString().slice(11, 16)} UTC`;
}
