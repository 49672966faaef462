/** OpenAI's responses: made, streamed, read again, deleted. Work in the background and tools of OpenAI's own are not simulated. */
import type { Call } from "./call.ts";
import { maxTools, toolRuleOf } from "./chat.ts";
import type { Answer } from "./delivery.ts";
import { hashOf } from "./dice.ts";
import { contextExceeded, unsupported, wrongValue } from "./failure.ts";
import { contextTokens } from "./faults.ts";
import { decimal, type Fields, fieldsList, flag, optionalFields, optionalText, whole } from "./fields.ts";
import { type AnswerFormat, maxAnswerTokens, type Reply, replyTo, type ToolOffer } from "./reply.ts";
import { type ResponseInput, readResponseInput } from "./response-input.ts";
import { dropResponse, findResponse, keepResponse } from "./response-store.ts";
import { responseErrorEvent, responsePieces } from "./responses-stream.ts";
import { countTokens } from "./tokens.ts";
import {
  cachedTokensOf,
  createdAt,
  modelOf,
  requireWordJson,
  responsesUsage,
  schemaFormat,
  seedOf,
  toolOffer,
} from "./usage.ts";

export function createResponse(call: Call): Answer {
  const { fields, fault, owner } = call;
  modelOf(fields);
  for (const name of ["background", "conversation", "prompt"])
    if ((fields[name] ?? false) !== false) throw unsupported(name);
  const seed = seedOf(fields);
  const input = readResponseInput(fields, seed);
  const tools = toolsOf(fields);
  const promptTokens = promptTokensOf(call, input, tools);
  if (promptTokens > contextTokens) throw contextExceeded(contextTokens, promptTokens);
  decimal(fields, "temperature", { min: 0, max: 2 });
  const reply = replyTo(
    {
      seed,
      lastText: input.lastText,
      isAfterTool: input.isAfterTool,
      tools,
      toolRule: toolRuleOf(fields, tools),
      format: formatOf(fields, input.text),
      maxTokens: whole(fields, "max_output_tokens", { min: 1, max: 10_000_000 }) ?? maxAnswerTokens,
      stops: [],
      isRefused: fault.kind === "refused",
      echo: fault.kind === "echo" ? JSON.stringify(fields) : null,
    },
    0,
  );
  const cached = cachedTokensOf(fields, promptTokens);
  const usage = responsesUsage({ prompt: promptTokens, cached, completion: reply.tokenCount });
  const output = outputOf(reply, seed);
  const started = frameOf(fields, newId(call));
  const response = { ...started, ...endOf(reply), output, usage: fault.kind === "no-usage" ? null : usage };
  if (flag(fields, "store") ?? true) keepResponse(owner, { response, inputItems: input.items });
  if (flag(fields, "stream") !== true) return { kind: "json", body: response, tokens: reply.tokenCount };
  const pieces = responsePieces({ started, response, output, reply });
  return { kind: "stream", pieces, tokens: reply.tokenCount, errorEvent: responseErrorEvent() };
}

/** Not a function of the request: of two responses that are alike, one can be deleted. */
function newId({ ctx }: Call): string {
  return `resp_${[...ctx.random(24)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** What came before counts once more, as it does with the real one. */
function promptTokensOf({ fields, owner }: Call, input: ResponseInput, tools: readonly ToolOffer[]): number {
  const own = input.tokens + (tools.length === 0 ? 0 : countTokens(JSON.stringify(fields["tools"])));
  const previous = optionalText(fields, "previous_response_id");
  if (previous === null) return own;
  const usage = optionalFields(findResponse(owner, previous, "previous_response_id").response, "usage");
  return own + Number(usage?.["total_tokens"] ?? 0);
}

function toolsOf(fields: Fields): ToolOffer[] {
  return fieldsList(fields, "tools", { max: maxTools }).map((tool, index) => {
    if (tool["type"] !== "function") throw unsupported(`tools[${index}].type`);
    return toolOffer(tool, `tools[${index}]`);
  });
}

function formatOf(fields: Fields, promptText: string): AnswerFormat {
  const format = optionalFields(optionalFields(fields, "text") ?? {}, "format", "text.format");
  const type = format?.["type"] ?? "text";
  if (format && type === "json_schema") return schemaFormat({ path: "text.format", holder: format });
  if (type === "text") return { kind: "text" };
  if (type !== "json_object")
    throw wrongValue(
      "text.format.type",
      "Invalid value for 'text.format.type'. Supported values are: 'json_object', 'json_schema', and 'text'.",
    );
  requireWordJson(promptText, "input");
  return { kind: "json" };
}

/** The response before anything was answered. */
function frameOf(fields: Fields, id: string): Fields {
  const given = Object.entries(fields).filter(([name, value]) => Object.hasOwn(unset, name) && value !== null);
  return {
    id,
    object: "response",
    created_at: createdAt,
    status: "in_progress",
    background: false,
    error: null,
    incomplete_details: null,
    output: [],
    reasoning: { effort: null, summary: null },
    service_tier: "default",
    system_fingerprint: "sandbox",
    usage: null,
    ...unset,
    ...Object.fromEntries(given),
  };
}

/** What a response repeats of its request, as it stands when the request does not say. */
const unset: Fields = {
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  metadata: {},
  model: null,
  parallel_tool_calls: true,
  previous_response_id: null,
  store: true,
  temperature: 1,
  text: { format: { type: "text" } },
  tool_choice: "auto",
  tools: [],
  top_p: 1,
  truncation: "disabled",
  user: null,
};

function endOf({ ending }: Reply): Fields {
  if (ending === "length") return { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } };
  if (ending === "refused") return { status: "incomplete", incomplete_details: { reason: "content_filter" } };
  return { status: "completed", completed_at: createdAt };
}

function outputOf({ tokens, calls, ending }: Reply, seed: string): Fields[] {
  const status = ending === "stop" || ending === "tools" ? "completed" : "incomplete";
  const name = hashOf(`${seed}:output`).slice(0, 32);
  if (calls.length > 0)
    return calls.map((call, index) => ({
      id: `fc_${hashOf(`${name}:${index}`).slice(0, 32)}`,
      type: "function_call",
      status,
      arguments: call.argumentTokens.join(""),
      call_id: `call_${call.id}`,
      name: call.name,
    }));
  const text = tokens.join("");
  const part =
    ending === "refused"
      ? { type: "refusal", refusal: text }
      : { type: "output_text", annotations: [], logprobs: [], text };
  return [{ id: `msg_${name}`, type: "message", status, role: "assistant", content: [part] }];
}

export function readResponse({ owner, id }: Call): Answer {
  return { kind: "json", body: findResponse(owner, id).response, tokens: 0 };
}

export function deleteResponse({ owner, id }: Call): Answer {
  dropResponse(owner, id);
  return { kind: "json", body: { id, object: "response", deleted: true }, tokens: 0 };
}

export function cancelResponse({ owner, id }: Call): Answer {
  findResponse(owner, id);
  throw wrongValue("response_id", "Cannot cancel a synchronous response.");
}

/** Newest first unless asked otherwise. */
export function listInputItems({ owner, id, query }: Call): Answer {
  const { inputItems } = findResponse(owner, id);
  const limit = limitIn(query);
  const ordered = query.get("order") === "asc" ? inputItems : inputItems.toReversed();
  const after = query.get("after");
  const start = after === null ? 0 : ordered.findIndex((item) => item["id"] === after) + 1;
  if (after !== null && start === 0) throw wrongValue("after", "Invalid 'after': no such item.");
  const data = ordered.slice(start, start + limit);
  const body = {
    object: "list",
    data,
    first_id: data[0]?.["id"] ?? null,
    last_id: data.at(-1)?.["id"] ?? null,
    has_more: start + limit < ordered.length,
  };
  return { kind: "json", body, tokens: 0 };
}

function limitIn(query: URLSearchParams): number {
  const limit = Number(query.get("limit") ?? 20);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100) return limit;
  throw wrongValue("limit", "Invalid 'limit': expected an integer from 1 to 100.");
}
