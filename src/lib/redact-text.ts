/**
 * Takes out of a text what tells who somebody is or opens a door: addresses, keys and tokens of known makers, cards, bank accounts, telephone numbers.
 * It knows forms, not meanings: a name or a street stays. Every expression here reads each character a bounded number of times, whatever the text.
 */

interface Form {
  pattern: RegExp;
  /** `$1` and so on as in `String.replace`; a function decides by the value. */
  becomes: string | ((found: string) => string);
}

/** By their makers' documents: long enough beginnings to know a key by, then at least eight characters. */
const namedKeys =
  /(?<![\w-])(?:ovt_(?:live|test)_|ov[sr]_|sk-ant-|sk-proj-|[spr]k_(?:live|test)_|whsec_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|npm_|hf_|gsk_|xai-|r8_|pplx-|dop_v1_|shp(?:at|ca|ss)_|SG\.|ya29\.|AIza)[\w-]{8,}(?:\.[\w-]+){0,4}/g;
/** Beginnings that words have, too: only before what no word is as long as. */
const shortNamedKeys = /(?<![\w-])(?:sk-|pe-|org_|key-)[\w-]{20,}/g;

const forms: readonly Form[] = [
  {
    pattern: /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
    becomes: "[key]",
  },
  { pattern: namedKeys, becomes: "[key]" },
  { pattern: shortNamedKeys, becomes: "[key]" },
  { pattern: /(?<![\w-])A(?:KIA|SIA)[0-9A-Z]{16}(?!\w)/g, becomes: "[key]" },
  { pattern: /(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g, becomes: "[token]" },
  { pattern: /\b(Bearer|Basic)\s{1,4}[\w.~+/=-]{12,}/gi, becomes: "$1 [token]" },
  { pattern: /:\/\/[^\s/@:]{1,64}:[^\s/@]{1,128}@/g, becomes: "://[secret]@" },
  { pattern: /\b(X-Amz-Signature|sig|signature)=[\w%-]{16,}/gi, becomes: "$1=[secret]" },
  {
    // A value without a digit is more often the name of a type than a password.
    pattern:
      /\b((?:password|passwd|secret|token|api[_-]?key)["']?\s{0,3}[:=]\s{0,3}["']?)(?=[^\s"',;]{0,64}\d)[^\s"',;]{8,128}/gi,
    becomes: "$1[secret]",
  },
  {
    pattern: /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]+@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu,
    becomes: "[email]",
  },
  {
    pattern: /(?<![A-Za-z0-9])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/g,
    becomes: (found) => (isBankAccount(found) ? "[iban]" : found),
  },
  { pattern: /(?<![\d.])\d(?:[ -]?\d){12,}/g, becomes: withoutCards },
  { pattern: /(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)/g, becomes: "[phone]" },
  { pattern: /(?<![\d-])\d{3}-\d\d-\d{4}(?![\d-])/g, becomes: "[ssn]" },
];

export function redactText(text: string): string {
  return forms.reduce(
    (rest, { pattern, becomes }) =>
      typeof becomes === "string" ? rest.replace(pattern, becomes) : rest.replace(pattern, becomes),
    text,
  );
}

/** No secret whose form is told by its end, such as an address, is longer. */
const longestUnknownEnd = 512;

/**
 * The first `maxLength` characters, redacted. Nothing that stands on the edge is left half: what an edge could have hidden from the expressions is cut off
 * with it.
 */
export function redactedStart(text: string, maxLength: number): { text: string; isCut: boolean } {
  const window = text.slice(0, maxLength + longestUnknownEnd);
  const redacted = redactText(window);
  const isWhole = window.length === text.length;
  const sure = isWhole ? redacted : redacted.slice(0, Math.max(redacted.length - longestUnknownEnd, 0));
  const start = sure.slice(0, maxLength).toWellFormed();
  return { text: start, isCut: !isWhole || sure.length > maxLength };
}

const cardDigits = { least: 13, most: 19 };

/** A run of digits may hold more than a card: a number is looked for from each group on, to the end of one of the next groups. */
function withoutCards(run: string): string {
  const groups = [...run.matchAll(/\d+/g)];
  let kept = "";
  let keptTo = 0;
  for (let first = 0; first < groups.length; first += 1) {
    const last = endOfCard(groups, first);
    if (last === null) continue;
    kept += `${run.slice(keptTo, groups[first]?.index)}[card]`;
    keptTo = (groups[last]?.index ?? 0) + (groups[last]?.[0].length ?? 0);
    first = last;
  }
  return kept + run.slice(keptTo);
}

/** The index of the group with which a card that begins at `first` ends; null: none begins there. */
function endOfCard(groups: readonly RegExpExecArray[], first: number): number | null {
  let digits = "";
  for (let last = first; last < groups.length; last += 1) {
    digits += groups[last]?.[0] ?? "";
    if (digits.length > cardDigits.most) return null;
    if (isCard(digits)) return last;
  }
  return null;
}

/** By the first digits that cards have (ISO/IEC 7812), their length and the check digit (Luhn). */
function isCard(digits: string): boolean {
  if (digits.length < cardDigits.least || digits.length > cardDigits.most || !/^(?:2[2-7]|[3-6])/.test(digits))
    return false;
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = digit * 2;
    sum += index % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** The check digits of an IBAN (ISO 13616): letters are numbers from 10 on, and all of it modulo 97 is 1. */
function isBankAccount(found: string): boolean {
  const plain = found.replaceAll(" ", "");
  const turned = plain.slice(4) + plain.slice(0, 4);
  let rest = 0;
  for (const char of turned) rest = Number(`${rest}${Number.parseInt(char, 36)}`) % 97;
  return plain.length >= 15 && plain.length <= 34 && rest === 1;
}
