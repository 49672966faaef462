/** Reads what is given to a response: a text or items, with what came before it. */
import { readContent } from "./chat-messages.ts";
import { hashOf } from "./dice.ts";
import { missing, wrongType, wrongValue } from "./failure.ts";
import { type Fields, fieldsList, optionalText, requiredText } from "./fields.ts";
import { attachmentTokens, countTokens } from "./tokens.ts";

const maxInputItems = 2_048;
const roles = ["user", "assistant", "system", "developer"];

export interface ResponseInput {
  /** Each with an id, in the order in which they were given. */
  items: Fields[];
  tokens: number;
  lastText: string;
  text: string;
  isAfterTool: boolean;
}

export function readResponseInput(fields: Fields, seed: string): ResponseInput {
  const given = fields["input"] ?? null;
  if (given === null) throw missing("input");
  const list: Fields[] =
    typeof given === "string"
      ? [{ type: "message", role: "user", content: [{ type: "input_text", text: given }] }]
      : fieldsList(fields, "input", { max: maxInputItems });
  if (list.length === 0) throw wrongValue("input", "Invalid 'input': empty array.", "empty_array");
  const read = list.map((item, index) => readItem(item, `input[${index}]`));
  const instructions = optionalText(fields, "instructions") ?? "";
  return {
    items: list.map((item, index) => storedItem(item, hashOf(`${seed}:${index}`).slice(0, 32))),
    tokens: read.reduce((sum, { tokens }) => sum + tokens, countTokens(instructions)),
    lastText: read.findLast(({ role }) => role === "user")?.text ?? "",
    text: [instructions, ...read.map(({ text }) => text)].join("\n"),
    isAfterTool: read.at(-1)?.role === "tool",
  };
}

function readItem(item: Fields, path: string): { role: string; text: string; tokens: number } {
  const type = optionalText(item, "type", `${path}.type`) ?? "message";
  if (type === "function_call_output") {
    requiredText(item, "call_id", `${path}.call_id`);
    return { role: "tool", ...readContent(item["output"] ?? null, path) };
  }
  if (type === "function_call") {
    const given = requiredText(item, "arguments", `${path}.arguments`);
    return { role: "assistant", text: "", tokens: 1 + countTokens(given) };
  }
  if (type !== "message") return { role: "other", text: "", tokens: attachmentTokens };
  const role = requiredText(item, "role", `${path}.role`);
  if (!roles.includes(role))
    throw wrongValue(
      `${path}.role`,
      `Invalid value: '${role.slice(0, 50)}'. Supported values are: ${roles.map((name) => `'${name}'`).join(", ")}.`,
    );
  if ((item["content"] ?? null) === null) throw wrongType(`${path}.content`, "a string or an array of parts");
  return { role, ...readContent(item["content"], path) };
}

const prefixes: Record<string, string> = { message: "msg", function_call: "fc", function_call_output: "fco" };

/** As it is read back: with type, status and id, and its text as a part. */
function storedItem(item: Fields, name: string): Fields {
  const type = optionalText(item, "type") ?? "message";
  const { content } = item;
  const partType = item["role"] === "assistant" ? "output_text" : "input_text";
  return {
    ...item,
    type,
    id: item["id"] ?? `${prefixes[type] ?? "item"}_${name}`,
    ...(prefixes[type] ? { status: "completed" } : {}),
    ...(typeof content === "string" ? { content: [{ type: partType, text: content }] } : {}),
  };
}
