/** Anthropic's answers and stream events (docs.anthropic.com/en/api/messages-streaming) as OpenAI's chat completions. */
import type { StreamEvent } from "#lib/event-stream";
import { isObject, type JsonObject, type Translation } from "../wire.ts";
import { structuredTool } from "./request.ts";

const finishReasons: Readonly<Record<string, string>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  pause_turn: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter",
};

function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/** There, what the cache held and what it took in are not among the input tokens; here they are. */
function usageOf(usage: JsonObject): JsonObject {
  const cached = count(usage["cache_read_input_tokens"]);
  const prompt = count(usage["input_tokens"]) + cached + count(usage["cache_creation_input_tokens"]);
  const completion = count(usage["output_tokens"]);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached },
  };
}

function reasonOf(reason: unknown, isStructured: boolean): string {
  if (isStructured && reason === "tool_use") return "stop";
  return finishReasons[String(reason)] ?? "stop";
}

/** Its answers do not say when they were made. */
const createdOf = (nowMs: number): number => Math.floor(nowMs / 1_000);

export function chatAnswer(answer: JsonObject, { nowMs }: { nowMs: number }): JsonObject {
  const blocks = Array.isArray(answer["content"]) ? answer["content"].filter(isObject) : [];
  const structured = blocks.find(({ type, name }) => type === "tool_use" && name === structuredTool);
  const text = structured
    ? JSON.stringify(structured["input"])
    : blocks.map(({ text: said }) => (typeof said === "string" ? said : "")).join("");
  const calls = structured ? [] : blocks.filter(({ type }) => type === "tool_use").map(toCall);
  const message = {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    refusal: null,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  const finish = reasonOf(answer["stop_reason"], structured !== undefined);
  return {
    id: answer["id"],
    object: "chat.completion",
    created: createdOf(nowMs),
    model: answer["model"],
    // An answer of no blocks is none: it is left to whoever reads this to ask somebody else.
    choices:
      blocks.length === 0 && answer["stop_reason"] === undefined
        ? []
        : [{ index: 0, message, logprobs: null, finish_reason: finish }],
    ...(isObject(answer["usage"]) ? { usage: usageOf(answer["usage"]) } : {}),
  };
}

function toCall({ id, name, input }: JsonObject): JsonObject {
  return { id, type: "function", function: { name, arguments: JSON.stringify(input ?? {}) } };
}

interface Heard {
  created: number;
  frame: JsonObject;
  usage: JsonObject;
  /** Block index there, index among the tool calls here; null: the block is the structured answer. */
  calls: Map<number, number | null>;
  isStructured: boolean;
}

export function openChatTranslation({ nowMs }: { nowMs: number }): Translation {
  const heard: Heard = { created: createdOf(nowMs), frame: {}, usage: {}, calls: new Map(), isStructured: false };
  return { read: ({ data }) => readEvent(heard, data), end: () => [] };
}

function readEvent(heard: Heard, data: StreamEvent["data"]): JsonObject[] {
  if (!isObject(data)) return [];
  switch (data["type"]) {
    case "message_start":
      return begin(heard, data);
    case "content_block_start":
      return startBlock(heard, data);
    case "content_block_delta":
      return delta(heard, data);
    case "message_delta":
      return finish(heard, data);
    case "message_stop":
      return [{ ...heard.frame, choices: [], usage: usageOf(heard.usage) }];
    case "error":
      return [{ error: data["error"] ?? {} }];
    default:
      return [];
  }
}

function chunk({ frame }: Heard, change: JsonObject, reason: string | null = null): JsonObject[] {
  return [{ ...frame, choices: [{ index: 0, delta: change, logprobs: null, finish_reason: reason }] }];
}

function begin(heard: Heard, { message }: JsonObject): JsonObject[] {
  const { id, model, usage } = isObject(message) ? message : {};
  heard.frame = { id, object: "chat.completion.chunk", created: heard.created, model };
  if (isObject(usage)) heard.usage = { ...usage };
  return chunk(heard, { role: "assistant", content: "" });
}

function startBlock(heard: Heard, { index, content_block: block }: JsonObject): JsonObject[] {
  if (!isObject(block) || block["type"] !== "tool_use") return [];
  if (block["name"] === structuredTool) {
    heard.isStructured = true;
    heard.calls.set(Number(index), null);
    return [];
  }
  const at = [...heard.calls.values()].filter((call) => call !== null).length;
  heard.calls.set(Number(index), at);
  const named = { name: block["name"], arguments: "" };
  return chunk(heard, { tool_calls: [{ index: at, id: block["id"], type: "function", function: named }] });
}

function delta(heard: Heard, { index, delta: change }: JsonObject): JsonObject[] {
  if (!isObject(change)) return [];
  if (change["type"] === "text_delta") return chunk(heard, { content: change["text"] });
  if (change["type"] === "thinking_delta") return chunk(heard, { reasoning_content: change["thinking"] });
  if (change["type"] !== "input_json_delta") return [];
  const at = heard.calls.get(Number(index));
  const text = change["partial_json"];
  if (at === null) return chunk(heard, { content: text });
  return chunk(heard, { tool_calls: [{ index: at ?? 0, function: { arguments: text } }] });
}

/** The counts of this event are those of the whole message so far. */
function finish(heard: Heard, { delta: change, usage }: JsonObject): JsonObject[] {
  if (isObject(usage)) heard.usage = { ...heard.usage, ...usage };
  const reason = isObject(change) ? change["stop_reason"] : null;
  return reason === null || reason === undefined ? [] : chunk(heard, {}, reasonOf(reason, heard.isStructured));
}
