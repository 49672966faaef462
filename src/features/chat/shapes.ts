/** As much of a model request as is looked at here; every other member goes to the provider as it came. Names are those of OpenAI's API reference. */
import * as z from "zod";
import { shape } from "#core/shape";
import { flawOf } from "./chat-rules.ts";

const model = () =>
  z.string().min(1).max(200).meta({ description: "Of GET /v1/models; may contain slashes.", example: "gpt-4o-mini" });
const length = () => z.number().int().min(1).max(10_000_000).nullable().optional();
const answers = () => z.number().int().min(1).max(128).nullable().optional();
const isStream = () => z.boolean().nullable().optional();
const streamOptions = () => z.looseObject({ include_usage: z.boolean().optional() }).nullable().optional();
const user = () => z.string().max(512).optional();
const metadata = () => z.record(z.string().max(64), z.unknown()).nullable().optional();

const message = () =>
  z
    .looseObject({
      role: z.enum(["developer", "system", "user", "assistant", "tool", "function"]),
      content: z.union([z.string(), z.array(z.looseObject({ type: z.string() })).max(2_000)]).nullish(),
    })
    .meta({ example: { role: "user", content: "Say hello." } });

export const chatBody = shape(() =>
  z
    .looseObject({
      model: model(),
      messages: z.array(message()).min(1).max(10_000),
      max_tokens: length(),
      max_completion_tokens: length(),
      n: answers(),
      temperature: z.number().min(0).max(2).nullable().optional(),
      top_p: z.number().min(0).max(1).nullable().optional(),
      stream: isStream(),
      stream_options: streamOptions(),
      user: user(),
      metadata: metadata(),
    })
    .superRefine((body, found) => {
      const flaw = flawOf(body);
      if (flaw) found.addIssue({ code: "custom", ...flaw });
    })
    .meta({ id: "ChatCompletionCreate" }),
);

export const completionBody = shape(() =>
  z
    .looseObject({
      model: model(),
      prompt: z.union([z.string(), z.array(z.unknown()).min(1).max(2_048)]),
      max_tokens: length(),
      n: answers(),
      best_of: answers(),
      stream: isStream(),
      stream_options: streamOptions(),
      user: user(),
    })
    .meta({ id: "CompletionCreate" }),
);

/** A text of tokens may be as long as the model reads; of texts 2,048 are taken. */
const maxInputTokens = 8_192;
const maxInputs = 2_048;
const inputError = "expected texts that are not empty (at most 2,048), or their tokens";

const isTokens = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isToken);
const isToken = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0;
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

function isInput(input: string | unknown[]): boolean {
  if (typeof input === "string" || isTokens(input)) return true;
  return input.length <= maxInputs && (input.every(isText) || input.every(isTokens));
}

export const embeddingsBody = shape(() =>
  z
    .looseObject({
      model: model(),
      input: z.union([z.string().min(1), z.array(z.unknown()).min(1).max(maxInputTokens)]).refine(isInput, inputError),
      user: user(),
    })
    .meta({ id: "EmbeddingsCreate" }),
);

export const moderationsBody = shape(() =>
  z
    .looseObject({
      model: model().default("omni-moderation-latest"),
      input: z.union([z.string().min(1), z.array(z.unknown()).min(1).max(2_048)]),
    })
    .meta({ id: "ModerationsCreate" }),
);

/** What all their answers share; the rest is the provider's. */
export const modelAnswer = shape(() =>
  z
    .looseObject({ object: z.string().optional(), model: z.string().optional() })
    .meta({ id: "ModelAnswer", description: "OpenAI's answer of the operation, with `_usage_info` beside it." }),
);
