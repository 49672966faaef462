/** Reads and counts what Anthropic's messages are asked with, and how much of it counts as cached. */
import { missing, wrongType, wrongValue } from "./failure.ts";
import { type Fields, fieldsList, isFields, optionalFields, requiredText } from "./fields.ts";
import { attachmentTokens, countTokens } from "./tokens.ts";
import { leastCachedTokens } from "./usage.ts";

const maxMessages = 2_048;
const maxBlocks = 2_048;
const maxTools = 128;

export interface AnthropicPrompt {
  /** All of it, with what is cached. */
  tokens: number;
  cacheReadTokens: number;
  cacheWrittenTokens: number;
  lastText: string;
  isAfterTool: boolean;
}

/** A block or a tool, in the order in which Anthropic's cache sees them: tools, system, messages. */
interface Block {
  tokens: number;
  cache: "none" | "5m" | "1h";
}

export function readAnthropicPrompt(fields: Fields): AnthropicPrompt {
  if ((fields["messages"] ?? null) === null) throw missing("messages");
  const messages = fieldsList(fields, "messages", { max: maxMessages });
  if (messages.length === 0) throw wrongValue("messages", "messages: at least one message is required");
  const read = messages.map((message, index) => readMessage(message, `messages.${index}`));
  const tools = fieldsList(fields, "tools", { max: maxTools }).map((tool): Block => ({
    tokens: countTokens(JSON.stringify(tool)),
    cache: cacheOf(tool),
  }));
  const system = readContent(fields["system"] ?? null, "system");
  const blocks = [...tools, ...system.blocks, ...read.flatMap((message) => message.blocks)];
  return {
    tokens: sumOf(blocks),
    ...cachedIn(blocks),
    lastText: read.findLast(({ role, text }) => role === "user" && text !== "")?.text ?? "",
    isAfterTool: read.at(-1)?.hasToolResult ?? false,
  };
}

const sumOf = (blocks: readonly Block[]) => blocks.reduce((sum, { tokens }) => sum + tokens, 0);

/** Everything up to the last mark: read from the cache, or written into it when the mark asks for an hour. */
function cachedIn(blocks: readonly Block[]) {
  const last = blocks.findLastIndex(({ cache }) => cache !== "none");
  const tokens = sumOf(blocks.slice(0, last + 1));
  const counted = tokens < leastCachedTokens ? 0 : tokens;
  const isWritten = blocks[last]?.cache === "1h";
  return { cacheReadTokens: isWritten ? 0 : counted, cacheWrittenTokens: isWritten ? counted : 0 };
}

function cacheOf(block: Fields): Block["cache"] {
  const control = optionalFields(block, "cache_control");
  if (!control) return "none";
  return control["ttl"] === "1h" ? "1h" : "5m";
}

function readMessage(message: Fields, path: string) {
  const role = requiredText(message, "role", `${path}.role`);
  if (role !== "user" && role !== "assistant")
    throw wrongValue(`${path}.role`, `${path}.role: Input should be 'user' or 'assistant'`);
  if ((message["content"] ?? null) === null) throw missing(`${path}.content`);
  return { role, ...readContent(message["content"], path) };
}

interface Content {
  blocks: Block[];
  text: string;
  hasToolResult: boolean;
}

function readContent(content: unknown, path: string): Content {
  if (content === null) return { blocks: [], text: "", hasToolResult: false };
  if (typeof content === "string")
    return { blocks: [{ tokens: countTokens(content), cache: "none" }], text: content, hasToolResult: false };
  if (!Array.isArray(content)) throw wrongType(`${path}.content`, "a string or an array of blocks");
  const list = fieldsList({ content }, "content", { path: `${path}.content`, max: maxBlocks });
  const blocks = list.map((block, index) => ({
    tokens: tokensOf(block, `${path}.content.${index}`),
    cache: cacheOf(block),
  }));
  const texts = list.filter(({ type }) => type === "text").map(({ text }) => String(text));
  return { blocks, text: texts.join("\n"), hasToolResult: list.some(({ type }) => type === "tool_result") };
}

function tokensOf(block: Fields, path: string): number {
  const type = requiredText(block, "type", `${path}.type`);
  if (type === "text") return countTokens(requiredText(block, "text", `${path}.text`));
  if (type === "tool_use") return 1 + countTokens(JSON.stringify(block["input"] ?? {}));
  if (type !== "tool_result") return attachmentTokens;
  requiredText(block, "tool_use_id", `${path}.tool_use_id`);
  const given = block["content"] ?? "";
  if (typeof given === "string") return countTokens(given);
  if (!Array.isArray(given)) throw wrongType(`${path}.content`, "a string or an array of blocks");
  return given.slice(0, maxBlocks).reduce<number>((sum, inner: unknown) => {
    const text = isFields(inner) ? inner["text"] : null;
    return sum + (typeof text === "string" ? countTokens(text) : attachmentTokens);
  }, 0);
}
