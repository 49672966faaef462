/**
 * The token rule of the simulated models: a token is as many whole characters as fit into four UTF-8 bytes, taken from the start.
 * Prompts and answers are counted alike, so what was billed can be compared with what was delivered, to the unit.
 */

const tokenBytes = 4;
/** What an image, a recording or a file inside a message counts, whatever its size. */
export const attachmentTokens = 85;

function bytesOf(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x10000 ? 3 : 4;
}

/** Where the token that begins at `start` ends. */
function endOfToken(text: string, start: number): number {
  let sizeBytes = 0;
  let end = start;
  while (end < text.length) {
    const codePoint = text.codePointAt(end) ?? 0;
    sizeBytes += bytesOf(codePoint);
    if (sizeBytes > tokenBytes) break;
    end += codePoint > 0xffff ? 2 : 1;
  }
  return end;
}

/** The pieces of a text; joined they are the text, and the first few of them are the tokens of the text that they make. */
export function splitTokens(text: string): string[] {
  const tokens: string[] = [];
  for (let start = 0; start < text.length;) {
    const end = endOfToken(text, start);
    tokens.push(text.slice(start, end));
    start = end;
  }
  return tokens;
}

export function countTokens(text: string): number {
  let count = 0;
  for (let start = 0; start < text.length; start = endOfToken(text, start)) count += 1;
  return count;
}
