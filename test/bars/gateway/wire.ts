/** Answers in OpenAI's form, whole and in frames. Formats: OpenAI's API reference. */
import type { Kind, Task, Usage } from "./tasks.ts";

/** In which way an answer is told: tools and schemas are chats to the provider, too. */
export type Form = "chat" | "completion" | "response" | "embedding" | "transcription" | "image" | "moderation";

const created = 1_767_225_600;
const braced: ReadonlySet<Kind> = new Set(["tools", "schema"]);

/** What is said, piece by piece; each piece names its call, its asking and its place. */
export function piecesOf({ id, kind, pieces }: Task, asking: number): string[] {
  const words = Array.from({ length: pieces }, (_, index) => `c${id}a${asking}p${index} `);
  if (!braced.has(kind)) return words;
  const last = words.length - 1;
  return words.map((word, index) => (index === 0 ? `{"answer":"${word}` : index === last ? `${word}"}` : word));
}

/** The same text as the caller puts it together: choice by choice where the answer comes whole. */
export function textOf({ kind, isStream }: Pick<Task, "kind" | "isStream">, pieces: readonly string[]): string {
  if (kind !== "choices" || isStream) return pieces.join("");
  return [0, 1].map((choice) => pieces.filter((_, index) => index % 2 === choice).join("")).join("");
}

function chatUsage({ input, cached, output }: Usage) {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached },
  };
}

function responseUsage({ input, cached, output }: Usage) {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
}

const call = (text: string) => [{ id: "call_1", type: "function", function: { name: "look_up", arguments: text } }];

function choicesOf(task: Task, pieces: readonly string[]) {
  const parts =
    task.kind === "choices" ? [0, 1].map((choice) => pieces.filter((_, at) => at % 2 === choice)) : [pieces];
  return parts.map((part, index) => {
    const text = part.join("");
    if (task.kind === "completion") return { index, text, finish_reason: "stop", logprobs: null };
    if (task.kind !== "tools")
      return { index, message: { role: "assistant", content: text, refusal: null }, finish_reason: "stop" };
    return {
      index,
      message: { role: "assistant", content: null, tool_calls: call(text) },
      finish_reason: "tool_calls",
    };
  });
}

function outputOf(text: string, status: "completed" | "in_progress") {
  const content = [{ type: "output_text", text, annotations: [] }];
  return [{ type: "message", id: "msg_1", status, role: "assistant", content }];
}

/** The whole answer as JSON; speech is none. */
export function plainAnswer(form: Form, task: Task, pieces: readonly string[]): string {
  const { model, usage } = task;
  const told = (use: object) => (task.tellsUsage ? { usage: use } : {});
  const answers: Record<Form, () => object> = {
    chat: () => ({
      id: "chatcmpl-1",
      object: "chat.completion",
      created,
      model,
      choices: choicesOf(task, pieces),
      ...told(chatUsage(usage)),
    }),
    completion: () => ({
      id: "cmpl-1",
      object: "text_completion",
      created,
      model,
      choices: choicesOf(task, pieces),
      ...told(chatUsage(usage)),
    }),
    response: () => ({
      id: "resp_1",
      object: "response",
      created_at: created,
      status: "completed",
      model,
      output: outputOf(pieces.join(""), "completed"),
      ...told(responseUsage(usage)),
    }),
    embedding: () => ({
      object: "list",
      model,
      data: [{ object: "embedding", index: 0, embedding: [task.id, 0.5] }],
      ...told({ prompt_tokens: usage.input, total_tokens: usage.input }),
    }),
    transcription: () => ({ text: pieces.join(""), ...told({ type: "duration", seconds: secondsOf(task) }) }),
    image: () => ({
      created,
      data: [{ b64_json: Buffer.from(pieces.join("")).toString("base64") }],
      ...told(responseUsage(usage)),
    }),
    moderation: () => ({
      id: "modr-1",
      model,
      results: [{ flagged: false, categories: {}, category_scores: {} }],
    }),
  };
  return JSON.stringify(answers[form]());
}

/** Of a recording: the bar makes it as long as this. */
export function secondsOf({ usage }: Pick<Task, "usage">): number {
  return 1 + (usage.input % 4);
}

export interface Frames {
  opening: string[];
  pieces: string[];
  finish: string;
  /** Null where it stands in the last event or is not told. */
  usage: string | null;
  done: string;
}

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`;
const named = (value: { type: string; [member: string]: unknown }) => `event: ${value.type}\n${data(value)}`;

export function framesOf(form: Form, task: Task, pieces: readonly string[]): Frames {
  return form === "response" ? responseFrames(task, pieces) : chunkFrames(form, task, pieces);
}

function chunkFrames(form: Form, task: Task, pieces: readonly string[]): Frames {
  const { kind, model } = task;
  const object = form === "completion" ? "text_completion" : "chat.completion.chunk";
  const chunk = (choices: object[], more: object = {}) => data({ id: "c-1", object, created, model, choices, ...more });
  const delta = (piece: string, at: number): object => {
    const index = kind === "choices" ? at % 2 : 0;
    if (form === "completion") return { index, text: piece, finish_reason: null };
    const called = at === 0 ? call(piece) : [{ function: { arguments: piece } }];
    const said = kind === "tools" ? { tool_calls: called.map((one) => ({ index: 0, ...one })) } : { content: piece };
    return { index, delta: said, finish_reason: null };
  };
  const end = (index: number) => {
    const reason = kind === "tools" ? "tool_calls" : "stop";
    return form === "completion"
      ? { index, text: "", finish_reason: reason }
      : { index, delta: {}, finish_reason: reason };
  };
  const role = { index: 0, delta: { role: "assistant", content: "" }, finish_reason: null };
  return {
    opening: form === "completion" ? [] : [chunk([role])],
    pieces: pieces.map((piece, at) => chunk([delta(piece, at)])),
    finish: chunk(kind === "choices" ? [end(0), end(1)] : [end(0)]),
    usage: task.tellsUsage ? chunk([], { usage: chatUsage(task.usage) }) : null,
    done: "data: [DONE]\n\n",
  };
}

function responseFrames(task: Task, pieces: readonly string[]): Frames {
  const { model } = task;
  const response = (status: string, more: object) => ({
    id: "resp_1",
    object: "response",
    created_at: created,
    model,
    status,
    ...more,
  });
  const place = { item_id: "msg_1", output_index: 0, content_index: 0 };
  const text = pieces.join("");
  const usage = task.tellsUsage ? { usage: responseUsage(task.usage) } : {};
  const output = outputOf(text, "completed");
  return {
    opening: [
      named({ type: "response.created", response: response("in_progress", { output: [] }) }),
      named({ type: "response.output_item.added", output_index: 0, item: outputOf("", "in_progress")[0] }),
    ],
    pieces: pieces.map((delta) => named({ type: "response.output_text.delta", ...place, delta })),
    finish:
      named({ type: "response.output_text.done", ...place, text }) +
      named({ type: "response.output_item.done", output_index: 0, item: output[0] }) +
      named({ type: "response.completed", response: response("completed", { output, ...usage }) }),
    usage: null,
    done: "",
  };
}

/** What the answer of this call says that it came to. */
export function toldUsage({ kind, usage, tellsUsage }: Task): Usage | null {
  if (!tellsUsage || kind === "speech") return null;
  return kind === "embedding" ? { input: usage.input, cached: 0, output: 0 } : usage;
}

/** All that a caller reads of a whole answer. */
export function wholeText(task: Task, pieces: readonly string[]): string {
  if (task.kind === "embedding") return String(task.id);
  return task.kind === "moderation" ? "" : textOf(task, pieces);
}
