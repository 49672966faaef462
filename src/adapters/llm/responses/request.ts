/**
 * A request for a response (OpenAI's `POST /responses`) as a chat completion, for companies and models that know only those. What has no place in one
 * is refused, not left out, where the answer would be another one.
 */
import { Problem } from "#core/problem";
import { isObject, type JsonObject } from "../wire.ts";

function refuse(param: string, detail: string): Problem {
  return new Problem("model-request-refused", { detail, members: { param } });
}

/** Members of the same name and meaning in both. */
const alike = [
  "model",
  "stream",
  "temperature",
  "top_p",
  "user",
  "parallel_tool_calls",
  "prompt_cache_key",
  "safety_identifier",
  "service_tier",
] as const;

export function chatBodyOf(body: JsonObject): JsonObject {
  const { max_output_tokens: length, reasoning } = body;
  const effort = isObject(reasoning) ? reasoning["effort"] : null;
  return {
    ...Object.fromEntries(alike.flatMap((name) => (body[name] == null ? [] : [[name, body[name]]]))),
    messages: messagesOf(body),
    ...(typeof length === "number" ? { max_completion_tokens: length } : {}),
    ...(typeof effort === "string" ? { reasoning_effort: effort } : {}),
    ...formatOf(body["text"]),
    ...toolingOf(body),
    // Else the use of a stream is not told.
    ...(body["stream"] === true ? { stream_options: { include_usage: true } } : {}),
  };
}

function messagesOf({ instructions, input }: JsonObject): JsonObject[] {
  const first = typeof instructions === "string" ? [{ role: "system", content: instructions }] : [];
  if (typeof input === "string") return [...first, { role: "user", content: input }];
  const items = Array.isArray(input) ? input.filter(isObject) : [];
  const messages: JsonObject[] = [...first];
  for (const item of items) addItem(messages, item);
  return messages;
}

function addItem(messages: JsonObject[], item: JsonObject): void {
  switch (item["type"] ?? "message") {
    case "message":
      messages.push({ role: item["role"], content: contentOf(item["content"]) });
      return;
    case "function_call":
      addCall(messages, item);
      return;
    case "function_call_output":
      messages.push({ role: "tool", tool_call_id: item["call_id"], content: contentOf(item["output"]) });
      return;
    case "reasoning":
      // What a model thought is no part of a chat.
      return;
    default:
      throw refuse("input", `This model takes no item of type ${String(item["type"]).slice(0, 100)}.`);
  }
}

/** The calls of one turn are one message there. */
function addCall(messages: JsonObject[], { call_id: id, name, arguments: given }: JsonObject): void {
  const call = { id, type: "function", function: { name, arguments: given } };
  const last = messages.at(-1);
  if (last?.["role"] !== "assistant") {
    messages.push({ role: "assistant", content: null, tool_calls: [call] });
    return;
  }
  last["tool_calls"] = [...(Array.isArray(last["tool_calls"]) ? (last["tool_calls"] as unknown[]) : []), call];
}

function contentOf(content: unknown): unknown {
  if (!Array.isArray(content)) return content;
  const parts = content.filter(isObject).map(partOf);
  // Many speakers of the dialect take a list of parts from the user only.
  return parts.every(({ type }) => type === "text") ? parts.map(({ text }) => text).join("") : parts;
}

function partOf(part: JsonObject): JsonObject {
  switch (part["type"]) {
    case "input_text":
    case "output_text":
    case "text":
      return { type: "text", text: part["text"] };
    case "refusal":
      return { type: "text", text: part["refusal"] };
    case "input_image":
      if (typeof part["image_url"] !== "string") throw refuse("input", "A picture is given by its image_url.");
      return { type: "image_url", image_url: { url: part["image_url"], detail: part["detail"] ?? "auto" } };
    case "input_file":
      return { type: "file", file: { filename: part["filename"], file_data: part["file_data"] } };
    default:
      throw refuse("input", `This model takes no part of type ${String(part["type"]).slice(0, 100)}.`);
  }
}

function formatOf(text: unknown): JsonObject {
  const format = isObject(text) ? text["format"] : null;
  if (!isObject(format) || format["type"] === "text") return {};
  if (format["type"] !== "json_schema") return { response_format: { type: format["type"] } };
  const { type, ...schema } = format;
  return { response_format: { type, json_schema: schema } };
}

function toolingOf({ tools, tool_choice: choice }: JsonObject): JsonObject {
  const given = Array.isArray(tools) ? tools.filter(isObject) : [];
  if (given.length === 0) return {};
  return { tools: given.map(toolOf), ...(choice == null ? {} : { tool_choice: choiceOf(choice) }) };
}

function toolOf({ type, name, description, parameters, strict }: JsonObject): JsonObject {
  if (type !== "function") throw refuse("tools", `This model takes no tool of type ${String(type).slice(0, 100)}.`);
  const known = Object.entries({ name, description, parameters, strict }).filter(([, value]) => value != null);
  return { type, function: Object.fromEntries(known) };
}

function choiceOf(choice: unknown): unknown {
  if (!isObject(choice)) return choice;
  if (choice["type"] !== "function") throw refuse("tool_choice", "This model can be told one function only.");
  return { type: "function", function: { name: choice["name"] } };
}
