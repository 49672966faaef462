/** Chat completions in OpenAI's wire format, plain and streamed. */
import type { Call } from "./call.ts";
import { readMessages } from "./chat-messages.ts";
import type { Answer, Piece } from "./delivery.ts";
import { diceOf } from "./dice.ts";
import { contextExceeded, openaiError, serverError, unsupported, wrongValue } from "./failure.ts";
import { contextTokens } from "./faults.ts";
import { decimal, type Fields, fieldsList, flag, isFields, optionalFields, textOrTexts, whole } from "./fields.ts";
import {
  type AnswerFormat,
  type Ask,
  maxAnswerTokens,
  maxMarkedTokens,
  type Reply,
  replyTo,
  type ToolOffer,
  type ToolRule,
} from "./reply.ts";
import { countTokens } from "./tokens.ts";
import {
  cachedTokensOf,
  chatUsage,
  createdAt,
  modelOf,
  requireWordJson,
  schemaFormat,
  seedOf,
  toolOffer,
} from "./usage.ts";

export const maxTools = 128;
export const maxChoices = 128;

export function completeChat({ fields, fault }: Call): Answer {
  const model = modelOf(fields);
  const prompt = readMessages(fields);
  const tools = toolsOf(fields);
  const promptTokens = prompt.tokens + (tools.length === 0 ? 0 : countTokens(JSON.stringify(fields["tools"])));
  if (promptTokens > contextTokens) throw contextExceeded(contextTokens, promptTokens);
  decimal(fields, "temperature", { min: 0, max: 2 });
  decimal(fields, "top_p", { min: 0, max: 1 });
  const count = whole(fields, "n", { min: 1, max: maxChoices }) ?? 1;
  const logprobs = logprobsOf(fields);
  const ask: Ask = {
    seed: seedOf(fields),
    lastText: prompt.lastText,
    isAfterTool: prompt.isAfterTool,
    tools,
    toolRule: toolRuleOf(fields, tools),
    format: formatOf(fields, prompt.text),
    maxTokens: Math.min(
      maxTokensOf(fields),
      Math.floor((logprobs === null ? maxAnswerTokens : maxMarkedTokens) / count),
    ),
    stops: textOrTexts(fields, "stop", { max: 4 }),
    isRefused: fault.kind === "refused",
    echo: fault.kind === "echo" ? JSON.stringify(fields) : null,
  };
  const replies = Array.from({ length: count }, (_, index) => replyTo(ask, index));
  const completion = replies.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
  const usage = chatUsage({ prompt: promptTokens, cached: cachedTokensOf(fields, promptTokens), completion });
  const head = { id: `chatcmpl-${ask.seed.slice(0, 29)}`, created: createdAt, model };
  const chat: Chat = { head, replies, usage, logprobs, withUsage: fault.kind !== "no-usage" };
  if (flag(fields, "stream") !== true) {
    requireNoStreamOptions(fields);
    return { kind: "json", body: plainChat(chat), tokens: completion };
  }
  const errorEvent = `data: ${JSON.stringify(openaiError(serverError()))}\n\n`;
  return { kind: "stream", pieces: chatPieces(chat, streamsUsage(fields)), tokens: completion, errorEvent };
}

interface Chat {
  head: { id: string; created: number; model: string };
  replies: Reply[];
  usage: ReturnType<typeof chatUsage>;
  /** How many alternatives each token names; null without log probabilities. */
  logprobs: number | null;
  withUsage: boolean;
}

export function requireNoStreamOptions(fields: Fields): void {
  if ((fields["stream_options"] ?? null) !== null)
    throw wrongValue("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.");
}

export function streamsUsage(fields: Fields): boolean {
  const options = optionalFields(fields, "stream_options");
  return options !== null && flag(options, "include_usage") === true;
}

function maxTokensOf(fields: Fields): number {
  const range = { min: 1, max: 10_000_000 };
  const older = whole(fields, "max_tokens", range);
  const newer = whole(fields, "max_completion_tokens", range);
  if (older !== null && newer !== null)
    throw wrongValue(
      "max_tokens",
      "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
    );
  return newer ?? older ?? maxAnswerTokens;
}

function logprobsOf(fields: Fields): number | null {
  const alternatives = whole(fields, "top_logprobs", { min: 0, max: 20 });
  if (flag(fields, "logprobs") === true) return alternatives ?? 0;
  if (alternatives !== null)
    throw wrongValue("top_logprobs", "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.");
  return null;
}

function toolsOf(fields: Fields): ToolOffer[] {
  return fieldsList(fields, "tools", { max: maxTools }).map((tool, index) => {
    if (tool["type"] !== "function") throw unsupported(`tools[${index}].type`);
    return toolOffer(optionalFields(tool, "function") ?? {}, `tools[${index}].function`);
  });
}

/** `tool_choice` of chats; the one of responses names the function without a wrapper. */
export function toolRuleOf(fields: Fields, tools: readonly ToolOffer[]): ToolRule {
  const choice = fields["tool_choice"] ?? "auto";
  const isParallel = flag(fields, "parallel_tool_calls") ?? true;
  if (isFields(choice))
    return choice["type"] === "allowed_tools" ? { ...allowedTools(choice), isParallel } : onlyTool(choice, tools);
  if (choice !== "none" && choice !== "auto" && choice !== "required")
    throw wrongValue(
      "tool_choice",
      "Invalid value for 'tool_choice'. Supported values are: 'none', 'auto', and 'required'.",
    );
  if (choice === "required" && tools.length === 0)
    throw wrongValue("tool_choice", "'tool_choice' is only allowed when 'tools' are specified.");
  return { mode: choice, only: null, isParallel };
}

const nameIn = (tool: Fields) => String((isFields(tool["function"]) ? tool["function"] : tool)["name"]);

function onlyTool(choice: Fields, tools: readonly ToolOffer[]): ToolRule {
  const name = nameIn(choice);
  if (!tools.some((tool) => tool.name === name))
    throw wrongValue("tool_choice", `Tool choice '${name.slice(0, 64)}' not found in 'tools' parameter.`);
  return { mode: "required", only: [name], isParallel: false };
}

function allowedTools(choice: Fields): Omit<ToolRule, "isParallel"> {
  const holder = optionalFields(choice, "allowed_tools") ?? choice;
  const only = fieldsList(holder, "tools", { path: "tool_choice.tools", max: maxTools }).map(nameIn);
  return { mode: holder["mode"] === "required" ? "required" : "auto", only };
}

function formatOf(fields: Fields, promptText: string): AnswerFormat {
  const format = optionalFields(fields, "response_format");
  const type = format?.["type"] ?? "text";
  if (format && type === "json_schema") {
    const path = "response_format.json_schema";
    return schemaFormat({ path, holder: optionalFields(format, "json_schema", path) ?? {} });
  }
  if (type === "text") return { kind: "text" };
  if (type !== "json_object")
    throw wrongValue(
      "response_format.type",
      "Invalid value for 'response_format.type'. Supported values are: 'json_object', 'json_schema', and 'text'.",
    );
  requireWordJson(promptText, "messages");
  return { kind: "json" };
}

const endings = { stop: "stop", length: "length", tools: "tool_calls", refused: "content_filter" } as const;

function plainChat({ head, replies, usage, logprobs, withUsage }: Chat) {
  return {
    ...head,
    object: "chat.completion",
    choices: replies.map((reply, index) => ({
      index,
      message: messageOf(reply),
      logprobs:
        logprobs === null ? null : { content: reply.tokens.map((token) => logprobOf(token, logprobs)), refusal: null },
      finish_reason: endings[reply.ending],
    })),
    ...(withUsage ? { usage } : {}),
    service_tier: "default",
    system_fingerprint: "sandbox",
  };
}

function messageOf({ tokens, calls, ending }: Reply) {
  const text = tokens.join("");
  const isRefusal = ending === "refused";
  return {
    role: "assistant",
    content: calls.length > 0 || isRefusal ? null : text,
    ...(calls.length > 0
      ? {
          tool_calls: calls.map(({ id, name, argumentTokens }) => ({
            id: `call_${id}`,
            type: "function",
            function: { name, arguments: argumentTokens.join("") },
          })),
        }
      : {}),
    refusal: isRefusal ? text : null,
    annotations: [],
  };
}

const bytesOf = (token: string) => [...new TextEncoder().encode(token)];

/** @param alternatives how many other tokens are named, the less likely the later */
export function logprobOf(token: string, alternatives: number) {
  const logprob = -(diceOf(token).below(100) + 1) / 100;
  const top = Array.from({ length: alternatives }, (_, index) => {
    const other = index === 0 ? token : `${token}${index}`;
    return { token: other, logprob: logprob - index, bytes: bytesOf(other) };
  });
  return { token, logprob, bytes: bytesOf(token), top_logprobs: top };
}

function* chatPieces({ head, replies, usage, logprobs, withUsage }: Chat, includeUsage: boolean): Generator<Piece> {
  const chunk = { ...head, object: "chat.completion.chunk", service_tier: "default", system_fingerprint: "sandbox" };
  const rest = includeUsage ? { usage: null } : {};
  const event = (index: number, { delta, token = null, ending = null }: ChunkParts): string => {
    const marks = logprobs === null || token === null ? null : { content: [logprobOf(token, logprobs)], refusal: null };
    const choices = [{ index, delta, logprobs: marks, finish_reason: ending }];
    return `data: ${JSON.stringify({ ...chunk, choices, ...rest })}\n\n`;
  };
  for (const [index, reply] of replies.entries()) {
    const isText = reply.calls.length === 0 && reply.ending !== "refused";
    const opening = { role: "assistant", content: isText ? "" : null, refusal: null };
    yield { data: event(index, { delta: opening }), isToken: false };
  }
  for (const [index, part] of interleaved(replies)) yield { data: event(index, part), isToken: true };
  for (const [index, { ending }] of replies.entries())
    yield { data: event(index, { delta: {}, ending: endings[ending] }), isToken: false };
  if (includeUsage && withUsage)
    yield { data: `data: ${JSON.stringify({ ...chunk, choices: [], usage })}\n\n`, isToken: false };
  yield { data: "data: [DONE]\n\n", isToken: false };
}

interface ChunkParts {
  delta: object;
  token?: string | null;
  ending?: string | null;
}

/** One token of each choice in turn, as choices that are made side by side arrive. */
function* interleaved(replies: readonly Reply[]): Generator<[number, ChunkParts]> {
  let running = [...replies.entries()].map(([index, reply]) => ({ index, parts: deltasOf(reply) }));
  while (running.length > 0) {
    const next: typeof running = [];
    for (const choice of running) {
      const { done, value } = choice.parts.next();
      if (done === true) continue;
      yield [choice.index, value];
      next.push(choice);
    }
    running = next;
  }
}

function* deltasOf({ tokens, calls, ending }: Reply): Generator<ChunkParts, void, undefined> {
  for (const token of tokens)
    yield ending === "refused" ? { delta: { refusal: token } } : { delta: { content: token }, token };
  for (const [index, { id, name, argumentTokens }] of calls.entries()) {
    const opening = { index, id: `call_${id}`, type: "function", function: { name, arguments: "" } };
    yield { delta: { tool_calls: [opening] } };
    for (const piece of argumentTokens) yield { delta: { tool_calls: [{ index, function: { arguments: piece } }] } };
  }
}
