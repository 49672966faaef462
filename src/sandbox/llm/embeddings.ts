/** Embeddings: unit vectors that are a function of the text's words, so that texts with words in common are near each other. */
import type { Call } from "./call.ts";
import type { Answer } from "./delivery.ts";
import { diceOf } from "./dice.ts";
import { wrongValue } from "./failure.ts";
import { oneOf, whole } from "./fields.ts";
import { readInputs } from "./inputs.ts";
import { modelOf } from "./usage.ts";

const maxInputs = 2_048;
/** Of all vectors of an answer together: it is made in memory. */
const maxNumbers = 1_048_576;
const maxWords = 64;
const largestDimensions = 3_072;

export function embed({ fields, fault }: Call): Answer {
  const model = modelOf(fields);
  const inputs = readInputs(fields, "input", maxInputs);
  if (inputs.some(({ tokens }) => tokens === 0))
    throw wrongValue("input", "Invalid 'input': input cannot be an empty string.");
  const usual = model.includes("large") ? largestDimensions : 1_536;
  const dimensions = whole(fields, "dimensions", { min: 1, max: largestDimensions }) ?? usual;
  if (inputs.length * dimensions > maxNumbers)
    throw wrongValue("input", `The sandbox gives at most ${maxNumbers} numbers in an answer.`);
  const format = oneOf(fields, "encoding_format", ["float", "base64"]);
  const tokens = inputs.reduce((sum, input) => sum + input.tokens, 0);
  const data = inputs.map(({ text }, index) => {
    const vector = vectorOf(text, dimensions);
    return { object: "embedding", index, embedding: format === "float" ? [...vector] : base64Of(vector) };
  });
  const usage = fault.kind === "no-usage" ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } };
  return { kind: "json", body: { object: "list", data, model, ...usage }, tokens: 0 };
}

function vectorOf(text: string, dimensions: number): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(dimensions);
  const words = new Set(text.toLowerCase().split(/\s+/).filter(Boolean));
  for (const word of [...words, ...(words.size === 0 ? [text] : [])].slice(0, maxWords)) {
    const dice = diceOf(word);
    for (let index = 0; index < dimensions; index += 1) sums[index] = (sums[index] ?? 0) + dice.next() / 2 ** 31 - 1;
  }
  const length = Math.sqrt(sums.reduce((sum, value) => sum + value * value, 0)) || 1;
  return Float32Array.from(sums, (value) => value / length);
}

/** Little-endian, four bytes a number. */
function base64Of(vector: Float32Array<ArrayBuffer>): string {
  const bytes = new Uint8Array(vector.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of vector.entries()) view.setFloat32(index * 4, value, true);
  return bytes.toBase64();
}
