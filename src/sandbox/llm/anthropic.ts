/** Anthropic's messages (https://docs.claude.com/en/api/messages), plain and streamed with Anthropic's event names. */
import { type AnthropicPrompt, readAnthropicPrompt } from "./anthropic-prompt.ts";
import type { Call } from "./call.ts";
import type { Answer, Piece } from "./delivery.ts";
import { LlmFailure, missing, wrongValue } from "./failure.ts";
import { contextTokens } from "./faults.ts";
import {
  decimal,
  type Fields,
  fieldsList,
  flag,
  isFields,
  optionalFields,
  requiredText,
  textOrTexts,
  whole,
} from "./fields.ts";
import { type AnswerFormat, type Reply, replyTo, type ToolOffer, type ToolRule } from "./reply.ts";
import { checkName, modelOf, seedOf } from "./usage.ts";

const maxTools = 128;

export function createMessage({ fields, fault, headers }: Call): Answer {
  const { prompt, tools } = readRequest(fields, headers);
  const maxTokens = whole(fields, "max_tokens", { min: 1, max: 10_000_000 });
  if (maxTokens === null) throw missing("max_tokens");
  decimal(fields, "temperature", { min: 0, max: 1 });
  const seed = seedOf(fields);
  const reply = replyTo(
    {
      seed,
      lastText: prompt.lastText,
      isAfterTool: prompt.isAfterTool,
      tools,
      toolRule: toolRuleOf(fields, tools),
      format: formatOf(fields),
      maxTokens,
      stops: textOrTexts(fields, "stop_sequences", { max: 100 }),
      isRefused: fault.kind === "refused",
      echo: fault.kind === "echo" ? JSON.stringify(fields) : null,
    },
    0,
  );
  const message: Message = {
    head: {
      id: `msg_${seed.slice(0, 24)}`,
      type: "message",
      role: "assistant",
      model: String(fields["model"]),
    },
    reply,
    usage: fault.kind === "no-usage" ? null : usageOf(prompt),
  };
  if (flag(fields, "stream") !== true) return { kind: "json", body: plain(message), tokens: reply.tokenCount };
  const failed = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  return { kind: "stream", pieces: pieces(message), tokens: reply.tokenCount, errorEvent: eventOf(failed) };
}

export function countMessageTokens({ fields, headers }: Call): Answer {
  const { prompt } = readRequest(fields, headers);
  return { kind: "json", body: { input_tokens: prompt.tokens }, tokens: 0 };
}

function readRequest(fields: Fields, headers: Headers): { prompt: AnthropicPrompt; tools: ToolOffer[] } {
  if (!headers.has("anthropic-version")) throw new LlmFailure(400, "anthropic-version: header is required");
  modelOf(fields);
  const tools = toolsOf(fields);
  const prompt = readAnthropicPrompt(fields);
  if (prompt.tokens > contextTokens)
    throw new LlmFailure(400, `prompt is too long: ${prompt.tokens} tokens > ${contextTokens} maximum`);
  return { prompt, tools };
}

function toolsOf(fields: Fields): ToolOffer[] {
  return fieldsList(fields, "tools", { max: maxTools }).map((tool, index) => {
    const path = `tools.${index}`;
    const parameters = tool["input_schema"];
    const name = checkName(requiredText(tool, "name", `${path}.name`), `${path}.name`);
    if (!isFields(parameters) || parameters["type"] !== "object")
      throw wrongValue(`${path}.input_schema`, `${path}.input_schema.type: Input should be 'object'`);
    return { name, parameters };
  });
}

function toolRuleOf(fields: Fields, tools: readonly ToolOffer[]): ToolRule {
  const choice = optionalFields(fields, "tool_choice") ?? { type: "auto" };
  const isParallel = choice["disable_parallel_tool_use"] !== true;
  switch (choice["type"]) {
    case "auto":
    case "none":
      return { mode: choice["type"], only: null, isParallel };
    case "any":
      return { mode: "required", only: null, isParallel };
    case "tool": {
      const name = String(choice["name"]);
      if (!tools.some((tool) => tool.name === name))
        throw wrongValue("tool_choice", `tool_choice.name: Tool '${name.slice(0, 64)}' not found in provided tools`);
      return { mode: "required", only: [name], isParallel: false };
    }
    default:
      throw wrongValue("tool_choice", "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'");
  }
}

function formatOf(fields: Fields): AnswerFormat {
  const format = optionalFields(optionalFields(fields, "output_config") ?? {}, "format");
  const schema = format?.["type"] === "json_schema" ? format["schema"] : null;
  return isFields(schema) ? { kind: "schema", schema } : { kind: "text" };
}

interface Message {
  head: { id: string; type: string; role: string; model: string };
  reply: Reply;
  /** Of the prompt; null when the model keeps its usage to itself. */
  usage: ReturnType<typeof usageOf> | null;
}

/** What is cached does not count among `input_tokens`. */
function usageOf({ tokens, cacheReadTokens, cacheWrittenTokens }: AnthropicPrompt) {
  return {
    input_tokens: tokens - cacheReadTokens - cacheWrittenTokens,
    cache_creation_input_tokens: cacheWrittenTokens,
    cache_read_input_tokens: cacheReadTokens,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: cacheWrittenTokens },
    service_tier: "standard",
  };
}

function endingOf({ ending, stoppedBy }: Reply) {
  const reasons = { stop: "end_turn", length: "max_tokens", tools: "tool_use", refused: "refusal" } as const;
  return stoppedBy === null
    ? { stop_reason: reasons[ending], stop_sequence: null }
    : { stop_reason: "stop_sequence", stop_sequence: stoppedBy };
}

function plain({ head, reply, usage }: Message) {
  const text = reply.tokens.join("");
  const content = reply.calls.map(({ id, name, argumentTokens }) => ({
    type: "tool_use",
    id: `toolu_${id}`,
    name,
    input: objectIn(argumentTokens.join("")),
  }));
  return {
    ...head,
    content: reply.calls.length > 0 ? content : [{ type: "text", text }],
    ...endingOf(reply),
    ...(usage ? { usage: { ...usage, output_tokens: reply.tokenCount } } : {}),
  };
}

/** Arguments that were cut off are no object any more. */
function objectIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function eventOf(body: { type: string; [field: string]: unknown }): string {
  return `event: ${body.type}\ndata: ${JSON.stringify(body)}\n\n`;
}

function* pieces({ head, reply, usage }: Message): Generator<Piece> {
  const silent = (body: { type: string; [field: string]: unknown }): Piece => ({ data: eventOf(body), isToken: false });
  const opening = { ...head, content: [], stop_reason: null, stop_sequence: null };
  yield silent({
    type: "message_start",
    message: { ...opening, ...(usage ? { usage: { ...usage, output_tokens: 0 } } : {}) },
  });
  if (reply.calls.length === 0) {
    yield silent({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } });
    yield silent({ type: "ping" });
    for (const text of reply.tokens) yield deltaPiece(0, { type: "text_delta", text });
    yield silent({ type: "content_block_stop", index: 0 });
  }
  for (const [index, { id, name, argumentTokens }] of reply.calls.entries()) {
    const block = { type: "tool_use", id: `toolu_${id}`, name, input: {} };
    // The name of a called tool is a token, so its event is the chunk that carries it.
    yield { data: eventOf({ type: "content_block_start", index, content_block: block }), isToken: true };
    for (const piece of argumentTokens) yield deltaPiece(index, { type: "input_json_delta", partial_json: piece });
    yield silent({ type: "content_block_stop", index });
  }
  yield silent({
    type: "message_delta",
    delta: endingOf(reply),
    ...(usage ? { usage: { output_tokens: reply.tokenCount } } : {}),
  });
  yield silent({ type: "message_stop" });
}

function deltaPiece(index: number, delta: object): Piece {
  return { data: eventOf({ type: "content_block_delta", index, delta }), isToken: true };
}
