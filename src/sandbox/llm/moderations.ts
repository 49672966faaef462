/** Moderation by magic words: a text is flagged for the categories whose names stand in it. */
import type { Call } from "./call.ts";
import type { Answer } from "./delivery.ts";
import { missing, wrongType } from "./failure.ts";
import { type Fields, isFields, optionalText } from "./fields.ts";
import { seedOf } from "./usage.ts";

const maxInputs = 512;

/** https://platform.openai.com/docs/guides/moderation */
const categories = [
  "harassment",
  "harassment/threatening",
  "hate",
  "hate/threatening",
  "illicit",
  "illicit/violent",
  "self-harm",
  "self-harm/intent",
  "self-harm/instructions",
  "sexual",
  "sexual/minors",
  "violence",
  "violence/graphic",
];
const seenInImages = new Set([
  "self-harm",
  "self-harm/intent",
  "self-harm/instructions",
  "sexual",
  "violence",
  "violence/graphic",
]);

interface Moderated {
  text: string;
  hasImage: boolean;
}

export function moderate({ fields }: Call): Answer {
  const model = optionalText(fields, "model") ?? "omni-moderation-latest";
  const results = inputsOf(fields).map(judge);
  return { kind: "json", body: { id: `modr-${seedOf(fields).slice(0, 24)}`, model, results }, tokens: 0 };
}

function inputsOf(fields: Fields): Moderated[] {
  const input = fields["input"] ?? null;
  if (input === null) throw missing("input");
  const list: unknown[] = Array.isArray(input) ? input : [input];
  if (list.length === 0 || list.length > maxInputs) throw wrongType("input", `1 to ${maxInputs} texts or parts`);
  if (list.every((entry) => typeof entry === "string")) return list.map((text) => ({ text, hasImage: false }));
  const parts = list.map((entry) => {
    if (!isFields(entry)) throw wrongType("input", "a string, an array of strings or an array of parts");
    return entry;
  });
  const texts = parts.filter(({ type }) => type === "text").map(({ text }) => String(text));
  return [{ text: texts.join("\n"), hasImage: parts.some(({ type }) => type === "image_url") }];
}

function judge({ text, hasImage }: Moderated) {
  const words = new Set(text.toLowerCase().split(/[^a-z/-]+/));
  const isNamed = (category: string) => words.has(category);
  const table = <Value>(valueOf: (category: string) => Value) =>
    Object.fromEntries(categories.map((category) => [category, valueOf(category)]));
  return {
    flagged: categories.some(isNamed),
    categories: table(isNamed),
    category_scores: table((category) => (isNamed(category) ? 0.99 : 0.01)),
    category_applied_input_types: table((category) => [
      "text",
      ...(hasImage && seenInImages.has(category) ? ["image"] : []),
    ]),
  };
}
