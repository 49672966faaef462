/**
 * A list of words as a short text: sorted, each word as a capital letter, which tells how many characters it shares with the one before
 * (`A`: none), and the rest. Words hold no capital letters and no line breaks.
 */

const letters = 26;
const letterA = 65;

export function packWords(words: readonly string[]): string {
  let before = "";
  return [...new Set(words)]
    .sort()
    .map((word) => {
      if (/[A-Z\n]/.test(word)) throw new Error(`cannot be packed: ${word}`);
      const shared = sharedLength(before, word);
      before = word;
      return String.fromCharCode(letterA + shared) + word.slice(shared);
    })
    .join("");
}

function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < letters - 1 && length < one.length && one[length] === other[length]) length += 1;
  return length;
}

export function unpackWords(packed: string): string[] {
  let before = "";
  return Array.from(packed.matchAll(/([A-Z])([^A-Z]*)/g), ([, letter = "A", rest = ""]) => {
    before = before.slice(0, letter.charCodeAt(0) - letterA) + rest;
    return before;
  });
}
