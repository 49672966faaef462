/** Chat completions and the events of their streams as those of OpenAI's responses. */
import type { StreamEvent } from "#lib/event-stream";
import { isObject, type JsonObject, type Translation } from "../wire.ts";

function list(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function usageOf(usage: unknown): JsonObject | null {
  if (!isObject(usage)) return null;
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usage;
  const read = isObject(usage["prompt_tokens_details"]) ? usage["prompt_tokens_details"] : {};
  const written = isObject(usage["completion_tokens_details"]) ? usage["completion_tokens_details"] : {};
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: read["cached_tokens"] ?? 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: written["reasoning_tokens"] ?? 0 },
    total_tokens: total,
  };
}

/** How a finish reason of a chat ends a response. */
function endOf(reason: unknown): JsonObject {
  if (reason === "length") return { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } };
  if (reason === "content_filter") return { status: "incomplete", incomplete_details: { reason: "content_filter" } };
  return { status: "completed", incomplete_details: null };
}

function messageItem(id: string, said: { text: string; isRefusal: boolean; status: string }): JsonObject {
  return { id: `msg_${id}`, type: "message", status: said.status, role: "assistant", content: [partOf(said)] };
}

function partOf(said: { text: string; isRefusal: boolean }): JsonObject {
  return said.isRefusal
    ? { type: "refusal", refusal: said.text }
    : { type: "output_text", annotations: [], logprobs: [], text: said.text };
}

function callItem(call: { id: string; name: string; given: string; status: string }): JsonObject {
  const { id, name, given, status } = call;
  return { id: `fc_${id}`, type: "function_call", status, arguments: given, call_id: id, name };
}

export function responseOf(answer: JsonObject): JsonObject {
  const [choice] = list(answer["choices"]);
  const usage = usageOf(answer["usage"]);
  // An answer without a choice is none: whoever reads this asks somebody else.
  if (!choice) return { ...frameOf(answer), usage };
  const message = isObject(choice["message"]) ? choice["message"] : {};
  const end = endOf(choice["finish_reason"]);
  const status = String(end["status"]);
  const refusal = text(message["refusal"]);
  const said = refusal === "" ? text(message["content"]) : refusal;
  const calls = list(message["tool_calls"]).map((call) => {
    const named = isObject(call["function"]) ? call["function"] : {};
    return callItem({ id: text(call["id"]), name: text(named["name"]), given: text(named["arguments"]), status });
  });
  const spoken = said === "" && calls.length > 0 ? [] : [{ text: said, isRefusal: refusal !== "", status }];
  const output = [...spoken.map((one) => messageItem(text(answer["id"]), one)), ...calls];
  return { ...frameOf(answer), ...end, output, usage };
}

function frameOf({ id, model, created }: JsonObject): JsonObject {
  return { id, object: "response", created_at: created, status: "in_progress", error: null, model };
}

/** One that has begun: its place in the output, and what it is so far. */
interface Begun {
  index: number;
  text: string;
  kind: "message" | "refusal" | "call";
  id: string;
  name: string;
}

interface Told {
  sequence: number;
  frame: JsonObject | null;
  begun: Begun[];
  message: Begun | null;
  calls: Map<number, Begun>;
  output: JsonObject[];
  reason: string | null;
  usage: JsonObject | null;
  isOver: boolean;
}

export function openResponseTranslation(): Translation {
  const told: Told = {
    sequence: 0,
    frame: null,
    begun: [],
    message: null,
    calls: new Map(),
    output: [],
    reason: null,
    usage: null,
    isOver: false,
  };
  return {
    read: ({ data }: StreamEvent) => (isObject(data) ? readChunk(told, data) : []),
    // A stream that ended before its finish reason was cut: then nothing says that it is whole.
    end: ({ isDone }) => (told.frame && !told.isOver && (isDone || told.reason !== null) ? complete(told) : []),
  };
}

function event(told: Told, type: string, members: JsonObject): JsonObject {
  told.sequence += 1;
  return { type, sequence_number: told.sequence - 1, ...members };
}

function readChunk(told: Told, chunk: JsonObject): JsonObject[] {
  if (chunk["error"] != null) return [event(told, "error", { code: "server_error", message: "", param: null })];
  const events = told.frame ? [] : begin(told, chunk);
  for (const choice of list(chunk["choices"])) {
    if (isObject(choice["delta"])) events.push(...readDelta(told, choice["delta"]));
    if (typeof choice["finish_reason"] === "string") events.push(...finish(told, choice["finish_reason"]));
  }
  told.usage = usageOf(chunk["usage"]) ?? told.usage;
  if (told.reason !== null && told.usage !== null && !told.isOver) events.push(...complete(told));
  return events;
}

function begin(told: Told, chunk: JsonObject): JsonObject[] {
  told.frame = frameOf(chunk);
  const response = { ...told.frame, output: [], usage: null };
  return [event(told, "response.created", { response }), event(told, "response.in_progress", { response })];
}

function readDelta(told: Told, delta: JsonObject): JsonObject[] {
  const said = text(delta["content"]);
  const refused = text(delta["refusal"]);
  return [
    ...(said === "" ? [] : sayMore(told, said, "message")),
    ...(refused === "" ? [] : sayMore(told, refused, "refusal")),
    ...list(delta["tool_calls"]).flatMap((call) => callMore(told, call)),
  ];
}

function open(told: Told, begun: Pick<Begun, "kind" | "id" | "name">): Begun {
  const made = { ...begun, index: told.begun.length, text: "" };
  told.begun.push(made);
  return made;
}

function placeOf(begun: Begun): JsonObject {
  const item = { item_id: itemOf(begun, "in_progress")["id"], output_index: begun.index };
  return begun.kind === "call" ? item : { ...item, content_index: 0 };
}

function itemOf({ kind, id, name, text: said }: Begun, status: string): JsonObject {
  if (kind === "call") return callItem({ id, name, given: said, status });
  return messageItem(id, { text: said, isRefusal: kind === "refusal", status });
}

function sayMore(told: Told, delta: string, kind: "message" | "refusal"): JsonObject[] {
  const events: JsonObject[] = [];
  if (told.message === null) {
    told.message = open(told, { kind, id: text(told.frame?.["id"]), name: "" });
    const { index } = told.message;
    const item = { ...itemOf(told.message, "in_progress"), content: [] };
    events.push(event(told, "response.output_item.added", { output_index: index, item }));
    const part = partOf({ text: "", isRefusal: kind === "refusal" });
    events.push(event(told, "response.content_part.added", { ...placeOf(told.message), part }));
  }
  told.message.text += delta;
  const isRefusal = told.message.kind === "refusal";
  const type = isRefusal ? "response.refusal.delta" : "response.output_text.delta";
  events.push(event(told, type, { ...placeOf(told.message), delta, ...(isRefusal ? {} : { logprobs: [] }) }));
  return events;
}

function callMore(told: Told, { index, id, function: given }: JsonObject): JsonObject[] {
  const named = isObject(given) ? given : {};
  const at = typeof index === "number" ? index : told.calls.size;
  const events: JsonObject[] = [];
  let call = told.calls.get(at);
  if (!call) {
    call = open(told, { kind: "call", id: text(id), name: text(named["name"]) });
    told.calls.set(at, call);
    const item = itemOf(call, "in_progress");
    events.push(event(told, "response.output_item.added", { output_index: call.index, item }));
  }
  const delta = text(named["arguments"]);
  if (delta === "") return events;
  call.text += delta;
  events.push(event(told, "response.function_call_arguments.delta", { ...placeOf(call), delta }));
  return events;
}

function finish(told: Told, reason: string): JsonObject[] {
  if (told.reason !== null) return [];
  told.reason = reason;
  const status = String(endOf(reason)["status"]);
  return told.begun.flatMap((begun) => {
    const item = itemOf(begun, status);
    told.output.push(item);
    return [...closingOf(told, begun), event(told, "response.output_item.done", { output_index: begun.index, item })];
  });
}

function closingOf(told: Told, begun: Begun): JsonObject[] {
  const { kind, name, text: said } = begun;
  const place = placeOf(begun);
  if (kind === "call")
    return [event(told, "response.function_call_arguments.done", { ...place, name, arguments: said })];
  const whole = kind === "refusal" ? { refusal: said } : { text: said, logprobs: [] };
  const type = kind === "refusal" ? "response.refusal.done" : "response.output_text.done";
  const part = partOf({ text: said, isRefusal: kind === "refusal" });
  return [event(told, type, { ...place, ...whole }), event(told, "response.content_part.done", { ...place, part })];
}

function complete(told: Told): JsonObject[] {
  const events = finish(told, "stop");
  told.isOver = true;
  const end = endOf(told.reason);
  const response = { ...told.frame, ...end, output: told.output, usage: told.usage };
  events.push(event(told, `response.${String(end["status"])}`, { response }));
  return events;
}
