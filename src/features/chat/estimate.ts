/**
 * What a request can come to before anybody has counted it. There is no tokenizer here (one is a megabyte, and each company has its own), so the
 * reservation takes more than any known one counts for text that people or programs write; what was too much returns with the settlement.
 */
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { Problem } from "#core/problem";
import type { Operation } from "./operations.ts";

/** A vendor's tokenizers come to about 4 bytes a token for English, 3 for Chinese or source, never fewer than 2 but for noise. */
const bytesPerReservedToken = 2;
/** For a count that nobody told: what English comes to. */
const bytesPerLikelyToken = 4;
/** OpenAI's documents: at most 1,105 to 1,536 tokens for an image in high detail; Anthropic's: 1,600. */
const tokensPerImage = 1_600;
/** The frame around a message. */
const tokensPerPart = 8;
/** Taken for an answer whose caller named no length; the provider is told so where a budget is at stake. */
export const defaultAnswerTokens = 4_096;

interface Size {
  textBytes: number;
  images: number;
  parts: number;
}

/** Schemas take two levels for each of theirs. What is not measured would not be set aside either, so deeper ones are refused. */
const maxDepth = 128;

/** Bytes of all texts in what the model reads; an image's bytes are no text. Throws `validation-failed` where it is nested too deep. */
function measure(value: unknown, size: Size, depth = 0): Size {
  if (typeof value === "string") size.textBytes += Buffer.byteLength(value);
  else if (typeof value === "number") size.parts += 1;
  else if (typeof value === "object" && value !== null) {
    if (depth > maxDepth) throw new Problem("validation-failed", { detail: `Nested deeper than ${maxDepth} levels.` });
    if (Array.isArray(value)) for (const item of value) measure(item, size, depth + 1);
    else if (isObject(value)) measureObject(value, size, depth);
  }
  return size;
}

function measureObject(value: JsonObject, size: Size, depth: number): void {
  size.parts += 1;
  const isImage = value["type"] === "image_url" || value["type"] === "input_image" || value["type"] === "image";
  if (isImage) {
    size.images += 1;
    return;
  }
  for (const [name, member] of Object.entries(value)) {
    size.textBytes += name.length;
    measure(member, size, depth + 1);
  }
}

export interface Estimate {
  /** Not fewer than the provider will count. */
  inputTokensMax: number;
  inputTokensLikely: number;
  /** Of all answers together; null: the caller named no length, and `answers` of them are wanted. */
  outputTokensMax: number | null;
  answers: number;
}

export function estimate(operation: Operation, body: JsonObject): Estimate {
  const { textBytes, images, parts } = measure(operation.inputOf(body), { textBytes: 0, images: 0, parts: 0 });
  const extra = images * tokensPerImage + parts * tokensPerPart;
  const answers = operation.answersOf(body);
  const length = operation.lengthMembers.map((name) => body[name]).find((value) => typeof value === "number");
  return {
    inputTokensMax: Math.ceil(textBytes / bytesPerReservedToken) + extra,
    inputTokensLikely: Math.ceil(textBytes / bytesPerLikelyToken),
    outputTokensMax:
      operation.lengthMembers.length === 0
        ? (operation.outputMax?.(body) ?? 0)
        : length === undefined
          ? null
          : Number(length) * answers,
    answers,
  };
}

/** For a stream whose use nobody told: each event has one token at least, and a token about four characters. */
export function likelyOutputTokens(delivered: { chunks: number; textLength: number }): number {
  return Math.max(delivered.chunks, Math.ceil(delivered.textLength / bytesPerLikelyToken));
}
