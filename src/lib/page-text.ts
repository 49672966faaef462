/**
 * The readable text of an HTML page, in one pass that takes time in proportion to its length, however broken the page is. It makes nothing
 * safe: what comes out is a stranger's text.
 */

/** What stands in them is not read by people. */
const dropped = new Set([
  "script",
  "style",
  "noscript",
  "template",
  "svg",
  "iframe",
  "object",
  "title",
  "textarea",
  "select",
]);
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };

/** At most `maxLength` characters, with one space between words. */
export function pageText(html: string, maxLength: number): string {
  const parts: string[] = [];
  const tag = /<(?:!--|([a-z][a-z0-9-]*)|[/!?])/gi;
  let at = 0;
  for (let found = tag.exec(html); found; found = tag.exec(html)) {
    parts.push(html.slice(at, found.index));
    at = endOf(html, found);
    if (at === -1) break;
    tag.lastIndex = at;
  }
  if (at !== -1) parts.push(html.slice(at));
  return tidy(parts.join(" "), maxLength);
}

/** Behind the tag, the comment, or an element that is dropped whole; -1: it never ends. */
function endOf(html: string, { 0: opening, 1: name, index }: RegExpExecArray): number {
  if (opening === "<!--") return after(html, "-->", index);
  const end = after(html, ">", index);
  const element = name?.toLowerCase() ?? "";
  if (end === -1 || !dropped.has(element)) return end;
  const closing = new RegExp(`</${element}[^>]{0,100}>`, "gi");
  closing.lastIndex = end;
  return closing.exec(html) ? closing.lastIndex : -1;
}

function after(html: string, text: string, from: number): number {
  const found = html.indexOf(text, from);
  return found === -1 ? -1 : found + text.length;
}

export function tidy(text: string, maxLength: number): string {
  return text
    .replaceAll(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,6}));/gi, decoded)
    .replaceAll("\0", "")
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, maxLength);
}

function decoded(whole: string, decimal?: string, hex?: string, name?: string): string {
  if (name !== undefined) return entities[name.toLowerCase()] ?? whole;
  const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
  const isCharacter = code > 0 && code <= 0x10_ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : " ";
}
