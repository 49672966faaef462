/** The opaque position of a list page: base64url of a JSON array of strings. Carries no secret and grants nothing. */

const maxTextLength = 500;
const maxParts = 8;

/** Throws RangeError for more than 8 parts or a text above 500 characters: a cursor is a position, not a store. */
export function encodeCursor(parts: readonly string[]): string {
  const text = new TextEncoder().encode(JSON.stringify(parts)).toBase64({ alphabet: "base64url", omitPadding: true });
  if (parts.length === 0 || parts.length > maxParts || text.length > maxTextLength)
    throw new RangeError("a cursor has 1 to 8 short parts");
  return text;
}

/** The parts exactly as they were encoded, or null for anything that `encodeCursor` cannot have written. */
export function decodeCursor(text: string): string[] | null {
  if (text.length > maxTextLength) return null;
  const parts = readParts(text);
  // Base64 and JSON allow several spellings of one value; only ours is taken, so a cursor can be compared as text.
  return parts !== null && encodeCursor(parts) === text ? parts : null;
}

function readParts(text: string): string[] | null {
  let value: unknown;
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return null;
  }
  if (!Array.isArray(value) || value.length === 0 || value.length > maxParts) return null;
  return value.every((part) => typeof part === "string") ? value : null;
}
