/**
 * What every provider refuses in a chat completion, told before anybody is asked: the members that contradict each other, tools and formats that are
 * none, pictures that are none. What only some refuse is theirs to tell.
 */
import { isObject, type JsonObject } from "#adapters/llm/dialect";

/** Where it is wrong, and why. */
export interface Flaw {
  path: (string | number)[];
  message: string;
}

export function flawOf(body: JsonObject): Flaw | null {
  return (
    contradictionOf(body) ??
    toolsFlaw(body["tools"]) ??
    choiceFlaw(body) ??
    formatFlaw(body["response_format"]) ??
    messagesFlaw(body["messages"])
  );
}

function flaw(path: Flaw["path"], message: string): Flaw {
  return { path, message };
}

function contradictionOf(body: JsonObject): Flaw | null {
  // Which of the two holds would depend on who answers, and with it what has to be set aside.
  if (body["max_tokens"] != null && body["max_completion_tokens"] != null)
    return flaw(["max_tokens"], "not beside max_completion_tokens: name one of them");
  if (body["stream_options"] != null && body["stream"] !== true)
    return flaw(["stream_options"], "only with stream: true");
  return null;
}

const functionName = /^[\w.:-]{1,128}$/;

function toolsFlaw(tools: unknown): Flaw | null {
  if (tools == null) return null;
  if (!Array.isArray(tools)) return flaw(["tools"], "expected an array");
  for (const [index, tool] of tools.entries()) {
    const path = ["tools", index];
    if (!isObject(tool) || typeof tool["type"] !== "string") return flaw(path, "expected an object with a type");
    // Companies have kinds of their own.
    const found = tool["type"] === "function" ? functionFlaw(tool["function"], [...path, "function"]) : null;
    if (found) return found;
  }
  return null;
}

function functionFlaw(given: unknown, path: Flaw["path"]): Flaw | null {
  if (!isObject(given)) return flaw(path, "expected an object with a name");
  const { name, parameters } = given;
  if (typeof name !== "string" || !functionName.test(name))
    return flaw([...path, "name"], "expected 1 to 128 letters, digits, underscores and dashes");
  return parameters == null ? null : schemaFlaw(parameters, [...path, "parameters"]);
}

/** An empty schema is what a function without parameters is often given. */
function schemaFlaw(schema: unknown, path: Flaw["path"]): Flaw | null {
  if (!isObject(schema)) return flaw(path, "expected a JSON schema, which is an object");
  const { type } = schema;
  return type === undefined || type === "object" ? null : flaw([...path, "type"], 'expected a schema of type "object"');
}

const choices = ["none", "auto", "required"];

function choiceFlaw({ tools, tool_choice: choice }: JsonObject): Flaw | null {
  if (choice == null) return null;
  const offered = Array.isArray(tools) ? tools.filter(isObject) : [];
  if (typeof choice === "string") {
    if (!choices.includes(choice)) return flaw(["tool_choice"], "expected none, auto, required or a tool");
    return choice === "required" && offered.length === 0 ? flaw(["tool_choice"], "required, and no tools") : null;
  }
  if (!isObject(choice)) return flaw(["tool_choice"], "expected none, auto, required or a tool");
  if (choice["type"] !== "function") return null;
  const name = nameOf(choice);
  if (offered.some((tool) => nameOf(tool) === name)) return null;
  return flaw(["tool_choice", "function", "name"], "no tool of this name is among tools");
}

function nameOf(tool: JsonObject): unknown {
  return isObject(tool["function"]) ? tool["function"]["name"] : null;
}

function formatFlaw(format: unknown): Flaw | null {
  if (format == null) return null;
  if (!isObject(format) || typeof format["type"] !== "string")
    return flaw(["response_format"], "expected an object with a type");
  if (format["type"] !== "json_schema") return null;
  const path = ["response_format", "json_schema"];
  const named = format["json_schema"];
  if (!isObject(named)) return flaw(path, "expected an object with a name and a schema");
  if (typeof named["name"] !== "string" || !/^[\w-]{1,64}$/.test(named["name"]))
    return flaw([...path, "name"], "expected 1 to 64 letters, digits, underscores and dashes");
  return named["schema"] == null || isObject(named["schema"])
    ? null
    : flaw([...path, "schema"], "expected a JSON schema, which is an object");
}

function messagesFlaw(messages: unknown): Flaw | null {
  for (const [index, message] of (Array.isArray(messages) ? messages : []).entries()) {
    const found = isObject(message) ? messageFlaw(message, ["messages", index]) : null;
    if (found) return found;
  }
  return null;
}

const needsContent = new Set<unknown>(["developer", "system", "user", "tool"]);

function messageFlaw({ role, content, tool_call_id: callId }: JsonObject, path: Flaw["path"]): Flaw | null {
  if (content == null) return needsContent.has(role) ? flaw([...path, "content"], "expected a text or parts") : null;
  if (role === "tool" && (typeof callId !== "string" || callId === ""))
    return flaw([...path, "tool_call_id"], "expected the id of the call that this answers");
  if (!Array.isArray(content)) return null;
  if (content.length === 0) return flaw([...path, "content"], "expected a text or parts");
  for (const [index, part] of content.entries()) {
    const found = isObject(part) ? partFlaw(part, [...path, "content", index]) : null;
    if (found) return found;
  }
  return null;
}

function partFlaw(part: JsonObject, path: Flaw["path"]): Flaw | null {
  if (part["type"] === "text")
    return typeof part["text"] === "string" ? null : flaw([...path, "text"], "expected a text");
  if (part["type"] !== "image_url") return null;
  const given = part["image_url"];
  const url = isObject(given) ? given["url"] : given;
  const found = typeof url === "string" ? pictureFlaw(url) : "expected an address";
  return found === null ? null : flaw([...path, "image_url", ...(isObject(given) ? ["url"] : [])], found);
}

/** How the files of these types begin, in base64. Of other types a company may know more. */
const beginnings: Readonly<Record<string, string>> = {
  "image/png": "iVBORw0KGgo",
  "image/jpeg": "/9j/",
  "image/jpg": "/9j/",
  "image/gif": "R0lGOD",
  "image/webp": "UklGR",
};

/** A picture is megabytes long: only its beginning is looked at. */
function pictureFlaw(url: string): string | null {
  const head = url.slice(0, 200);
  if (/^https?:\/\/[^/\s]/i.test(head)) return null;
  const [, type = "", data = ""] = /^data:(image\/[\w.+-]+);base64,(.*)$/is.exec(head) ?? [];
  if (type === "" || data === "") return "expected an http or https address, or a picture as a data URL in base64";
  const beginning = beginnings[type.toLowerCase()];
  return beginning === undefined || data.startsWith(beginning) ? null : `these bytes are no ${type.toLowerCase()}`;
}
