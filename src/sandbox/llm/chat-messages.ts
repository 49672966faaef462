/** Reads the messages of a chat as OpenAI checks them, and counts them. */
import { LlmFailure, missing, wrongType, wrongValue } from "./failure.ts";
import { type Fields, fieldsList, isFields, requiredText } from "./fields.ts";
import { attachmentTokens, countTokens } from "./tokens.ts";

const roles = ["system", "assistant", "user", "function", "tool", "developer"];
const maxMessages = 2_048;
const maxParts = 2_048;

export interface Prompt {
  tokens: number;
  /** The last message of the user. */
  lastText: string;
  /** All of it, for the rule that JSON must be spoken of. */
  text: string;
  isAfterTool: boolean;
}

export function readMessages(fields: Fields): Prompt {
  if ((fields["messages"] ?? null) === null) throw missing("messages");
  const messages = fieldsList(fields, "messages", { max: maxMessages });
  if (messages.length === 0)
    throw wrongValue(
      "messages",
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
      "empty_array",
    );
  const read = messages.map((message, index) => readMessage(messages, message, index));
  return {
    tokens: read.reduce((sum, { tokens }) => sum + tokens, 0),
    lastText: read.findLast(({ role }) => role === "user")?.text ?? "",
    text: read.map(({ text }) => text).join("\n"),
    isAfterTool: ["tool", "function"].includes(read.at(-1)?.role ?? ""),
  };
}

interface ReadMessage {
  role: string;
  text: string;
  tokens: number;
}

function readMessage(messages: Fields[], message: Fields, index: number): ReadMessage {
  const path = `messages[${index}]`;
  const role = requiredText(message, "role", `${path}.role`);
  if (!roles.includes(role))
    throw wrongValue(
      `${path}.role`,
      `Invalid value: '${role.slice(0, 50)}'. Supported values are: ${roles.map((name) => `'${name}'`).join(", ")}.`,
    );
  if (role === "tool") requireCall(messages, message, index);
  const calls = fieldsList(message, "tool_calls", { path: `${path}.tool_calls`, max: maxParts });
  const { text, tokens } = readContent(message["content"] ?? null, path);
  if (calls.length === 0 && (message["content"] ?? null) === null && role !== "assistant")
    throw wrongType(`${path}.content`, "a string or an array of parts, but got null instead");
  return { role, text, tokens: tokens + calls.reduce((sum, call) => sum + tokensOfCall(call), 0) };
}

function requireCall(messages: Fields[], message: Fields, index: number): void {
  requiredText(message, "tool_call_id", `messages[${index}].tool_call_id`);
  const before = messages.slice(0, index).findLast(({ role }) => role !== "tool");
  if (before?.["role"] === "assistant" && Array.isArray(before["tool_calls"])) return;
  throw new LlmFailure(
    400,
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
    { param: `messages.[${index}].role` },
  );
}

function tokensOfCall(call: Fields): number {
  const called = call["function"];
  if (!isFields(called)) return 1;
  const given = called["arguments"];
  return 1 + (typeof given === "string" ? countTokens(given) : 0);
}

const textParts = new Set(["text", "refusal", "input_text", "output_text"]);

/** Text as it is, or parts: a text counts its tokens, an image, a recording or a file counts alike whatever its size. */
export function readContent(content: unknown, path: string): { text: string; tokens: number } {
  if (content === null) return { text: "", tokens: 0 };
  if (typeof content === "string") return { text: content, tokens: countTokens(content) };
  if (!Array.isArray(content)) throw wrongType(`${path}.content`, "a string or an array of parts");
  const parts = fieldsList({ content }, "content", { path: `${path}.content`, max: maxParts });
  const texts: string[] = [];
  let tokens = 0;
  for (const [index, part] of parts.entries()) {
    const type = requiredText(part, "type", `${path}.content[${index}].type`);
    if (!textParts.has(type)) {
      tokens += attachmentTokens;
      continue;
    }
    const text = requiredText(part, type === "refusal" ? "refusal" : "text", `${path}.content[${index}].text`);
    texts.push(text);
    tokens += countTokens(text);
  }
  return { text: texts.join("\n"), tokens };
}
