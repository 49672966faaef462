/** Usage as OpenAI counts it, and the parts of a request that several dialects share. */
import { hashOf } from "./dice.ts";
import { noModel, wrongValue } from "./failure.ts";
import { type Fields, isFields, optionalText } from "./fields.ts";
import type { AnswerFormat, ToolOffer } from "./reply.ts";

/** Below this many tokens nothing is cached; above it, whole pieces of 128. */
export const leastCachedTokens = 1_024;
const cachePieceTokens = 128;

/** With `prompt_cache_key`, a prompt counts as read from the cache, but for what does not fill a piece. */
export function cachedTokensOf(fields: Fields, promptTokens: number): number {
  if (optionalText(fields, "prompt_cache_key") === null || promptTokens < leastCachedTokens) return 0;
  return promptTokens - (promptTokens % cachePieceTokens);
}

interface Used {
  prompt: number;
  cached: number;
  completion: number;
}

export function chatUsage({ prompt, cached, completion }: Used) {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

export function responsesUsage({ prompt, cached, completion }: Used) {
  return {
    input_tokens: prompt,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: 0 },
    output_tokens: completion,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: prompt + completion,
  };
}

/** All answers are from this second: they are a function of the request, and time is no part of it. */
export const createdAt = Date.UTC(2026, 0, 1) / 1000;

/** A hash of the request without what only changes how its answer is sent: streamed and plain answers are alike. */
export function seedOf(fields: Fields): string {
  return hashOf(JSON.stringify({ ...fields, stream: undefined, stream_options: undefined }));
}

export function modelOf(fields: Fields): string {
  const model = optionalText(fields, "model");
  if (model === null || model === "") throw wrongValue("model", "you must provide a model parameter");
  if (model.length > 256) throw noModel(model);
  return model;
}

const namePattern = /^[a-zA-Z0-9_-]{1,64}$/;

export function checkName(name: string, path: string): string {
  if (!namePattern.test(name))
    throw wrongValue(
      path,
      `Invalid '${path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.`,
    );
  return name;
}

/** A tool as OpenAI takes it: its parameters are an object's schema, or nothing. */
export function toolOffer(tool: Fields, path: string): ToolOffer {
  const name = checkName(optionalText(tool, "name", `${path}.name`) ?? "", `${path}.name`);
  const parameters = tool["parameters"] ?? {};
  if (!isFields(parameters) || !["object", undefined].includes(parameters["type"] as string | undefined))
    throw wrongValue(
      `${path}.parameters`,
      `Invalid schema for function '${name}': schema must be a JSON Schema of 'type: "object"', got 'type: "${kindOf(parameters)}"'.`,
      "invalid_function_parameters",
    );
  return { name, parameters };
}

function kindOf(schema: unknown): string {
  return isFields(schema) ? String(schema["type"]).slice(0, 50) : typeof schema;
}

interface FormatPlace {
  path: string;
  /** Where the schema and its name stand. */
  holder: Fields;
}

export function schemaFormat({ path, holder }: FormatPlace): AnswerFormat {
  const name = checkName(optionalText(holder, "name", `${path}.name`) ?? "", `${path}.name`);
  const schema = holder["schema"] ?? {};
  if (!isFields(schema) || ("type" in schema && schema["type"] !== "object"))
    throw wrongValue(
      path,
      `Invalid schema for response_format '${name}': schema must be a JSON Schema of 'type: "object"', got 'type: "${kindOf(schema)}"'.`,
    );
  return { kind: "schema", schema };
}

/** OpenAI gives JSON without a schema only to those who speak of it, because a model would else write blanks without end. */
export function requireWordJson(text: string, param: string): void {
  if (!/json/i.test(text))
    throw wrongValue(
      param,
      `'${param}' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.`,
    );
}
