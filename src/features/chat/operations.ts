/**
 * The model operations as data: where each is at a provider, what a request may come to, and how use is read from its answer or from the events of
 * its stream. Nothing here calls anybody. Formats: OpenAI's API reference (chat, completions, responses, embeddings).
 */
import type { Capability, TokenUsage } from "#adapters/llm/contract";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import type { StreamEvent } from "#lib/event-stream";

/** What an event of a stream says. */
export interface EventFacts {
  /** Characters of the answer that it carries: text, refusals, arguments of tool calls, reasoning. */
  textLength: number;
  usage: TokenUsage | null;
  /** It carries nothing but the use, and is hidden from who did not ask for it. */
  isUsageOnly: boolean;
  /** The answer has ended as it should. */
  isEnd: boolean;
  isError: boolean;
}

export interface Operation {
  name:
    | "chat"
    | "completions"
    | "responses"
    | "embeddings"
    | "moderations"
    | "speech"
    | "transcriptions"
    | "translations"
    | "images"
    | "image-edits";
  /** After the base URL of the provider. */
  path: string;
  capability: Capability;
  /** Which member limits the length of the answer, newest name first; empty: the operation has no such member. */
  lengthMembers: readonly string[];
  /** What the answer can come to, where no member limits it; nothing unless said. */
  outputMax?: (body: JsonObject) => number;
  /** How many answers a request asks for. */
  answersOf(body: JsonObject): number;
  /** What the model reads. */
  inputOf(body: JsonObject): unknown;
  eventFacts(event: StreamEvent): EventFacts;
  /** The provider tells the use of a stream only when it is asked to. */
  asksForUsage: boolean;
  /** A stream of it ends with `data: [DONE]`. */
  endsWithDone: boolean;
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}

/** `usage` under its names of chat (`prompt_tokens`) and of responses (`input_tokens`); null: the answer has none, or one that counts nothing. */
export function readUsage(usage: unknown): TokenUsage | null {
  if (!isObject(usage)) return null;
  const input = usage["prompt_tokens"] ?? usage["input_tokens"];
  if (typeof input !== "number") return null;
  const details = usage["prompt_tokens_details"] ?? usage["input_tokens_details"];
  return {
    inputTokens: count(input),
    cachedInputTokens: isObject(details) ? count(details["cached_tokens"]) : 0,
    outputTokens: count(usage["completion_tokens"] ?? usage["output_tokens"]),
    estimated: false,
  };
}

const nothing: EventFacts = { textLength: 0, usage: null, isUsageOnly: false, isEnd: false, isError: false };

function lengthOf(value: unknown): number {
  return typeof value === "string" ? value.length : 0;
}

function callsLength(calls: unknown): number {
  if (!Array.isArray(calls)) return 0;
  return calls.reduce<number>((sum, call: unknown) => {
    const named = isObject(call) ? call["function"] : null;
    return sum + (isObject(named) ? lengthOf(named["name"]) + lengthOf(named["arguments"]) : 0);
  }, 0);
}

function choiceLength(choice: unknown): number {
  if (!isObject(choice)) return 0;
  const { delta } = choice;
  if (!isObject(delta)) return lengthOf(choice["text"]);
  const spoken = lengthOf(delta["content"]) + lengthOf(delta["refusal"]);
  const thought = lengthOf(delta["reasoning_content"]) + lengthOf(delta["reasoning"]);
  return spoken + thought + callsLength(delta["tool_calls"]);
}

/** An event of a chat or completion stream. */
function chunkFacts({ data }: StreamEvent): EventFacts {
  if (!isObject(data)) return nothing;
  if (data["error"] !== undefined && data["error"] !== null) return { ...nothing, isError: true };
  const { choices } = data;
  const all = Array.isArray(choices) ? choices : [];
  const usage = readUsage(data["usage"]);
  return {
    textLength: all.reduce<number>((sum, choice) => sum + choiceLength(choice), 0),
    usage,
    isUsageOnly: usage !== null && all.length === 0,
    isEnd: all.some((choice) => isObject(choice) && typeof choice["finish_reason"] === "string"),
    isError: false,
  };
}

const finished = new Set(["response.completed", "response.incomplete"]);

/** An event of a response's stream: typed, with the use in the last one. */
function responseFacts({ data }: StreamEvent): EventFacts {
  if (!isObject(data)) return nothing;
  const type = typeof data["type"] === "string" ? data["type"] : "";
  // Providers that stand behind a proxy say it without a type.
  const isUntyped = type === "" && isObject(data["error"]);
  if (type === "error" || type === "response.failed" || isUntyped) return { ...nothing, isError: true };
  if (type.endsWith(".delta")) return { ...nothing, textLength: lengthOf(data["delta"]) };
  if (!finished.has(type)) return nothing;
  const { response } = data;
  return { ...nothing, isEnd: true, usage: isObject(response) ? readUsage(response["usage"]) : null };
}

const one = () => 1;
const several = (body: JsonObject) => Math.max(count(body["n"]), count(body["best_of"]), 1);
const noEvents = () => nothing;

/** One that is given as its tokens is one. */
function promptsIn(prompt: unknown): number {
  return Array.isArray(prompt) && typeof prompt[0] !== "number" ? Math.max(prompt.length, 1) : 1;
}

/** OpenAI's guide to images: at most 6,240 tokens a picture in high quality, 1,584 in medium. */
const pictureTokens = { high: 6_300, lower: 1_600 };

export function pictureTokensMax(n: unknown, quality: unknown): number {
  const each = quality === "low" || quality === "medium" ? pictureTokens.lower : pictureTokens.high;
  return Math.max(count(n), 1) * each;
}

/** One whose answer is no stream of events, and has no text. */
function wordless<Name extends Operation["name"]>(
  name: Name,
  about: Pick<Operation, "path" | "capability" | "inputOf"> & Partial<Operation>,
) {
  const unlike = {
    lengthMembers: [],
    answersOf: () => 0,
    eventFacts: noEvents,
    asksForUsage: false,
    endsWithDone: false,
  };
  return { ...unlike, ...about, name };
}

export const operations = {
  chat: {
    name: "chat",
    path: "/chat/completions",
    capability: "chat",
    lengthMembers: ["max_completion_tokens", "max_tokens"],
    answersOf: several,
    inputOf: ({ messages, tools, functions, response_format: format }) => [messages, tools, functions, format],
    eventFacts: chunkFacts,
    asksForUsage: true,
    endsWithDone: true,
  },
  completions: {
    name: "completions",
    path: "/completions",
    capability: "completions",
    lengthMembers: ["max_tokens"],
    // A list of prompts has so many answers each.
    answersOf: (body) => several(body) * promptsIn(body["prompt"]),
    inputOf: ({ prompt, suffix }) => [prompt, suffix],
    eventFacts: chunkFacts,
    asksForUsage: true,
    endsWithDone: true,
  },
  responses: {
    name: "responses",
    path: "/responses",
    // Who knows chats only is asked for one instead.
    capability: "chat",
    lengthMembers: ["max_output_tokens"],
    answersOf: one,
    inputOf: ({ input, instructions, tools, text }) => [input, instructions, tools, text],
    eventFacts: responseFacts,
    asksForUsage: false,
    endsWithDone: false,
  },
  embeddings: wordless("embeddings", {
    path: "/embeddings",
    capability: "embeddings",
    inputOf: ({ input }) => input,
  }),
  moderations: wordless("moderations", {
    path: "/moderations",
    capability: "moderation",
    inputOf: ({ input }) => input,
  }),
  speech: wordless("speech", { path: "/audio/speech", capability: "speech", inputOf: ({ input }) => input }),
  transcriptions: wordless("transcriptions", {
    path: "/audio/transcriptions",
    capability: "transcription",
    inputOf: ({ prompt }) => prompt,
  }),
  translations: wordless("translations", {
    path: "/audio/translations",
    capability: "transcription",
    inputOf: ({ prompt }) => prompt,
  }),
  images: wordless("images", {
    path: "/images/generations",
    capability: "images",
    inputOf: ({ prompt }) => prompt,
    outputMax: ({ n, quality }) => pictureTokensMax(n, quality),
  }),
  "image-edits": wordless("image-edits", {
    path: "/images/edits",
    capability: "images",
    inputOf: ({ prompt }) => prompt,
    outputMax: ({ n, quality }) => pictureTokensMax(n, quality),
  }),
} as const satisfies Record<string, Operation>;
