/** A chat completion as Anthropic's Messages API takes it (docs.anthropic.com/en/api/messages). */
import { Problem } from "#core/problem";
import type { Target } from "../contract.ts";
import { isObject, type JsonObject } from "../wire.ts";

/** The tool by which an answer of a given schema is asked for; its input is the answer. */
export const structuredTool = "structured_answer";
const usualAnswerTokens = 4_096;
/**
 * The fifth generation and later: they refuse sampling settings, and some refuse to be made to use a tool (platform.claude.com, migration guides of
 * Sonnet 5, Sonnet 5.5 and Haiku 5.5, read on 2026-11-21). An answer of a schema is asked for by `output_config` there.
 */
const newGeneration = /claude-[a-z]+-(?:[5-9]|\d{2})(?:-|$)/;
const onlyJson = "Answer with one JSON object and nothing else.";

export function refuse(param: string, detail: string): Problem {
  return new Problem("model-request-refused", { detail, members: { param } });
}

export function messagesBody(body: JsonObject, target: Target): JsonObject {
  if (typeof body["n"] === "number" && body["n"] > 1) throw refuse("n", "This model gives one answer a request.");
  const all = Array.isArray(body["messages"]) ? body["messages"].filter(isObject) : [];
  const isNew = newGeneration.test(target.model);
  const wishes = isNew && isAnyJson(body["response_format"]) ? [onlyJson] : [];
  const system = [...all.filter(isInstruction).map(textOf), ...wishes].filter(Boolean).join("\n\n");
  const messages = merged(all.filter((message) => !isInstruction(message)).map(toMessage));
  if (messages.length === 0) throw refuse("messages", "This model needs a message of the user's that is not empty.");
  return {
    model: target.model,
    max_tokens: lengthOf(body, target),
    messages,
    ...(system === "" ? {} : { system }),
    ...stopping(body),
    ...(isNew ? { ...formatted(body), ...offered(body) } : { ...sampling(body), ...tooling(body) }),
    ...(body["stream"] === true ? { stream: true } : {}),
    ...(typeof body["user"] === "string" ? { metadata: { user_id: body["user"] } } : {}),
  };
}

function lengthOf(body: JsonObject, { facts }: Target): number {
  const length = body["max_completion_tokens"] ?? body["max_tokens"];
  return typeof length === "number" ? length : Math.min(facts.maxOutputTokens || usualAnswerTokens, usualAnswerTokens);
}

function isInstruction({ role }: JsonObject): boolean {
  return role === "system" || role === "developer";
}

function textOf({ content }: JsonObject): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => (isObject(part) && typeof part["text"] === "string" ? part["text"] : "")).join("");
}

/** Its scale of temperature ends at 1, OpenAI's at 2. */
function sampling({ temperature, top_p: topP }: JsonObject): JsonObject {
  return {
    ...(typeof temperature === "number" ? { temperature: Math.min(temperature, 1) } : {}),
    ...(typeof topP === "number" ? { top_p: topP } : {}),
  };
}

function stopping({ stop }: JsonObject): JsonObject {
  const stops = typeof stop === "string" ? [stop] : stop;
  return Array.isArray(stops) && stops.length > 0 ? { stop_sequences: stops } : {};
}

function isAnyJson(format: unknown): boolean {
  return isObject(format) && format["type"] === "json_object";
}

function formatted({ response_format: format }: JsonObject): JsonObject {
  const schema = schemaOf(format);
  return schema && !isAnyJson(format) ? { output_config: { format: { type: "json_schema", schema } } } : {};
}

interface Message {
  role: "user" | "assistant";
  content: JsonObject[];
}

function toMessage(message: JsonObject): Message {
  if (message["role"] === "tool") {
    const result = { type: "tool_result", tool_use_id: message["tool_call_id"], content: textOf(message) };
    return { role: "user", content: [result] };
  }
  if (message["role"] !== "assistant") return { role: "user", content: partsOf(message) };
  const calls = Array.isArray(message["tool_calls"]) ? message["tool_calls"].filter(isObject) : [];
  return { role: "assistant", content: [...partsOf(message), ...calls.map(toToolUse)] };
}

function toToolUse(call: JsonObject): JsonObject {
  const named = isObject(call["function"]) ? call["function"] : {};
  return { type: "tool_use", id: call["id"], name: named["name"], input: parseArguments(named["arguments"]) };
}

function parseArguments(text: unknown): JsonObject {
  try {
    const value = JSON.parse(typeof text === "string" ? text : "{}") as unknown;
    return isObject(value) ? value : {};
  } catch {
    throw refuse("messages", "The arguments of a tool call are no JSON.");
  }
}

function partsOf({ content }: JsonObject): JsonObject[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return Array.isArray(content) ? content.filter(isObject).map(toPart) : [];
}

function toPart(part: JsonObject): JsonObject {
  if (part["type"] === "text") return { type: "text", text: part["text"] };
  if (part["type"] !== "image_url")
    throw refuse("messages", `This model takes no part of type ${String(part["type"])}.`);
  const given = isObject(part["image_url"]) ? part["image_url"]["url"] : part["image_url"];
  const data = /^data:([^;,]+);base64,(.*)$/s.exec(String(given));
  return data
    ? { type: "image", source: { type: "base64", media_type: data[1], data: data[2] } }
    : { type: "image", source: { type: "url", url: String(given) } };
}

/** Results of several tools are one message there. */
function merged(messages: readonly Message[]): Message[] {
  const result: Message[] = [];
  for (const message of messages) {
    const last = result.at(-1);
    if (last?.role === message.role) last.content.push(...message.content);
    else result.push({ ...message, content: [...message.content] });
  }
  return result.filter(({ content }) => content.length > 0);
}

function tooling(body: JsonObject): JsonObject {
  const schema = schemaOf(body["response_format"]);
  if (schema) {
    const tool = { name: structuredTool, description: "Gives the answer.", input_schema: schema };
    return { tools: [tool], tool_choice: { type: "tool", name: structuredTool } };
  }
  return offered(body);
}

function offered(body: JsonObject): JsonObject {
  const tools = Array.isArray(body["tools"]) ? body["tools"].filter(isObject).map(toTool) : [];
  if (tools.length === 0) return {};
  const choice = choiceOf(body["tool_choice"]);
  const isSingle = body["parallel_tool_calls"] === false && choice["type"] !== "none";
  return { tools, tool_choice: isSingle ? { ...choice, disable_parallel_tool_use: true } : choice };
}

/** JSON of any form is asked for by a schema that allows any object. */
function schemaOf(format: unknown): JsonObject | null {
  if (!isObject(format) || format["type"] === "text") return null;
  if (format["type"] === "json_object") return { type: "object", additionalProperties: true };
  if (format["type"] !== "json_schema")
    throw refuse("response_format", "This model gives text, JSON or JSON of a schema.");
  const named = format["json_schema"];
  return isObject(named) && isObject(named["schema"]) ? named["schema"] : null;
}

function toTool(tool: JsonObject): JsonObject {
  const named = isObject(tool["function"]) ? tool["function"] : {};
  const { name, description, parameters } = named;
  return {
    name,
    ...(typeof description === "string" ? { description } : {}),
    input_schema: isObject(parameters) ? parameters : { type: "object", properties: {} },
  };
}

function choiceOf(choice: unknown): JsonObject {
  if (choice === "none") return { type: "none" };
  if (choice === "required") return { type: "any" };
  const named = isObject(choice) && isObject(choice["function"]) ? choice["function"]["name"] : null;
  return typeof named === "string" ? { type: "tool", name: named } : { type: "auto" };
}
