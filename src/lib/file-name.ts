/**
 * Makes names that strangers send safe to store, to put into object keys and headers, and to save on any system.
 * Refuses to keep anything that could act as a path, a device, a header line or a disguise.
 */

const maxNameBytes = 255;
const maxExtensionBytes = 32;
const maxSlugLength = 80;
/** Longer names are cut before any work; the end is kept because it holds the extension. */
const maxRawLength = 4_096;

/**
 * Controls, bidirectional marks ("gpj.exe" shown as "exe.jpg"), invisible separators, and what Windows reserves.
 * The zero-width joiner stays: emoji and several scripts need it.
 */
const unwanted = /[\p{Cc}\u061C\u200B\u200E\u200F\u2028-\u202E\u2060\u2066-\u2069\uFEFF\uFFF9-\uFFFB<>:"|?*]/gu;
const deviceName = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00B9\u00B2\u00B3])\s*(\.|$)/i;
const combiningMarks = /\p{M}+/gu;

/** A file name without path, at most 255 UTF-8 bytes, in NFC; the extension survives the cut. Nothing left gives `file`. */
export function cleanFileName(raw: string): string {
  const base =
    raw
      .slice(-maxRawLength)
      .toWellFormed()
      .split(/[/\\]/)
      .findLast((part) => part.trim() !== "") ?? "";
  const name = cutName(trimName(base.replace(unwanted, "").normalize("NFC")));
  if (name === "") return "file";
  // Asked after the cut, which may have brought a device name about; the mark may need another cut.
  return deviceName.test(name) ? cutName(`_${name}`) : name;
}

/** A clean name with a number in front of its extension, for the second file of one name: `a (2).wav`. */
export function numberFileName(name: string, count: number): string {
  return cutName(name, ` (${count})`);
}

/** The name's part of an object key: `[a-z0-9.-]`, at most 80 characters. Nothing left gives `file`. */
export function fileSlug(name: string): string {
  const clean = cleanFileName(name);
  const dot = extensionStart(clean);
  const extension = slugOf(clean.slice(dot + 1)).slice(0, maxExtensionBytes);
  const suffix = dot === clean.length || extension === "" ? "" : `.${extension}`;
  const stem = slugOf(clean.slice(0, dot))
    .slice(0, maxSlugLength - suffix.length)
    .replace(/[-.]+$/, "");
  return `${stem || "file"}${suffix}`;
}

/** The `Content-Disposition` header (RFC 6266): an ASCII fallback, then the exact name as RFC 8187 text. */
export function contentDisposition(kind: "attachment" | "inline", name: string): string {
  const clean = cleanFileName(name);
  // A name of nothing but combining marks leaves nothing. Some clients decode `%41` inside the quoted form, so a percent sign cannot stay in the fallback.
  const fallback = clean
    .normalize("NFKD")
    .replace(combiningMarks, "")
    .replace(/[^\x20-\x7E]|[%"\\]/gu, "_");
  const exact = encodeURIComponent(clean).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${fallback || "_"}"; filename*=UTF-8''${exact}`;
}

/** Windows drops dots and spaces at the end, so two names could become one file. */
function trimName(name: string): string {
  return name.replace(/^\s+/u, "").replace(/[\s.]+$/u, "");
}

/** Cuts in front of the extension; the suffix is put there and always survives. */
function cutName(name: string, suffix = ""): string {
  const encoder = new TextEncoder();
  const dot = extensionStart(name);
  const end = suffix + name.slice(dot);
  const stem = new Uint8Array(maxNameBytes - encoder.encode(end).length);
  const { read, written } = encoder.encodeInto(name.slice(0, dot), stem);
  if (read === dot) return name.slice(0, dot) + end;
  return trimName(new TextDecoder().decode(stem.subarray(0, written))) + end;
}

/** Where the extension's dot is, or the length of the name when it has none of sensible size. */
function extensionStart(name: string): number {
  const dot = name.lastIndexOf(".");
  const isExtension = dot > 0 && new TextEncoder().encode(name.slice(dot)).length <= maxExtensionBytes;
  return isExtension ? dot : name.length;
}

function slugOf(text: string): string {
  return text
    .normalize("NFKD")
    .replace(combiningMarks, "")
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, "-")
    .replace(/[-.]*\.[-.]*/g, ".")
    .replace(/^[-.]+|[-.]+$/g, "");
}
