/** Each kind of call as OpenAI's own client makes it, and what its caller got to see. */
import { type OpenAI, toFile } from "openai";
import type { Books } from "./books.ts";
import { soundOf } from "../random.ts";
import type { Task } from "./tasks.ts";
import { secondsOf } from "./wire.ts";

export interface UsageInfo {
  tokens_used: number;
  cost_usd: number;
  estimated: boolean;
}

export interface Outcome {
  end: "whole" | "failed" | "left";
  text: string;
  error: Error | null;
  /** HTTP requests that the client made for this call. */
  requests: number;
  headers: Headers | null;
  info: UsageInfo | null;
  /** `data: [DONE]` was among what it read. */
  sawDone: boolean;
  leftAtMs: number;
  endedAtMs: number;
}

/** What a call notes while it is under way. */
interface Note extends Outcome {
  onPiece(text: string): void;
}

type Answer = { data: unknown; response: Response };
interface Options {
  signal: AbortSignal;
  headers: Record<string, string>;
}

export async function makeCall(base: OpenAI, task: Task, books: Books): Promise<Outcome> {
  const leaving = new AbortController();
  const note = openNote(task, leaving);
  const client = base.withOptions({ fetch: (input, init) => watched(note, input, init) });
  if (task.leaves?.at === "start") void books.asked(task.id).then(() => setTimeout(() => leave(note, leaving), 20));
  try {
    await ask(client, task, { note, signal: leaving.signal, headers: task.patience });
    note.end = "whole";
  } catch (error) {
    note.end = "failed";
    note.error = error as Error;
  }
  // A stream that its reader gives up ends for it without an error.
  if (leaving.signal.aborted) note.end = "left";
  note.endedAtMs = Date.now();
  return note;
}

function leave(note: Note, leaving: AbortController): void {
  if (note.end !== "failed" || note.endedAtMs > 0) return;
  note.leftAtMs = Date.now();
  leaving.abort();
}

function openNote({ leaves, pieces }: Task, leaving: AbortController): Note {
  const count = leaves?.at === "piece" ? leaves.count : leaves?.at === "end" ? pieces : Number.POSITIVE_INFINITY;
  const note: Note = {
    end: "failed",
    text: "",
    error: null,
    requests: 0,
    headers: null,
    info: null,
    sawDone: false,
    leftAtMs: 0,
    endedAtMs: 0,
    onPiece(text) {
      note.text += text;
      if ((note.text.match(/p\d+ /g)?.length ?? 0) >= count) leave(note, leaving);
    },
  };
  return note;
}

/** The client's own requests, with an eye on the bytes of streams. */
async function watched(note: Note, input: string | URL | Request, init?: RequestInit): Promise<Response> {
  // How the client finds out whether this is a fetch that takes forms.
  if (!(typeof input === "string" && input.startsWith("http"))) return fetch(input, init);
  note.requests += 1;
  const response = await fetch(input, init);
  note.headers = response.headers;
  if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
  let tail = "";
  const eye = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, out) {
      tail = (tail + Buffer.from(bytes).toString("latin1")).slice(-64);
      note.sawDone ||= tail.includes("data: [DONE]");
      out.enqueue(bytes);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(eye), { status, statusText, headers });
}

type Asked = { note: Note } & Options;

/** The word by which the provider knows the call, in a prompt that is long enough for what it will say it read. */
export function promptOf(id: number): string {
  return `call-${id}: Tell me what happens on an ordinary day in a harbour at the sea, in a few words, please, and without a title.`;
}

const tool = {
  type: "function",
  function: { name: "look_up", parameters: { type: "object", properties: { answer: { type: "string" } } } },
} as const;
const schema = {
  type: "json_schema",
  json_schema: {
    name: "answer",
    strict: true,
    schema: {
      type: "object",
      properties: { answer: { type: "string" } },
      required: ["answer"],
      additionalProperties: false,
    },
  },
} as const;

function chatBody({ id, kind, model }: Task) {
  return {
    model,
    messages: [{ role: "user" as const, content: promptOf(id) }],
    max_tokens: 64,
    ...(kind === "tools" ? { tools: [tool] } : {}),
    ...(kind === "schema" ? { response_format: schema } : {}),
    ...(kind === "choices" ? { n: 2 } : {}),
  };
}

async function ask(client: OpenAI, task: Task, asked: Asked): Promise<void> {
  switch (task.kind) {
    case "chat":
    case "tools":
    case "schema":
    case "choices":
      return task.isStream ? streamChat(client, task, asked) : askChat(client, task, asked);
    case "completion":
      return askCompletion(client, task, asked);
    case "response":
      return askResponse(client, task, asked);
    case "prompt":
      return askPrompt(client, task, asked);
    case "transcription":
      return askTranscription(client, task, asked);
    case "speech":
      return askSpeech(client, task, asked);
    case "embedding":
    case "image":
    case "moderation":
      return askOther(client, task, asked);
  }
}

function take({ note }: Asked, { data }: Answer, text: string): void {
  const info = (data as { _usage_info?: UsageInfo })._usage_info;
  note.info = info ?? null;
  note.onPiece(text);
}

interface Message {
  content?: string | null | undefined;
  tool_calls?: { function?: { arguments?: string } }[] | undefined;
}

function saidIn({ content, tool_calls: calls }: Message): string {
  return (content ?? "") + (calls ?? []).map((call) => call.function?.arguments ?? "").join("");
}

async function askChat(client: OpenAI, task: Task, asked: Asked): Promise<void> {
  const completions = client.chat.completions;
  const answer =
    task.kind === "schema"
      ? await completions.parse(chatBody(task), asked).withResponse()
      : await completions.create(chatBody(task), asked).withResponse();
  take(asked, answer, answer.data.choices.map(({ message }) => saidIn(message as Message)).join(""));
}

async function streamChat(client: OpenAI, task: Task, asked: Asked): Promise<void> {
  const stream = await client.chat.completions.create({ ...chatBody(task), stream: true }, asked);
  for await (const { choices } of stream) for (const { delta } of choices) asked.note.onPiece(saidIn(delta as Message));
}

async function askCompletion(client: OpenAI, { id, model, isStream }: Task, asked: Asked): Promise<void> {
  const body = { model, prompt: promptOf(id), max_tokens: 64 };
  if (!isStream) {
    const answer = await client.completions.create(body, asked).withResponse();
    return take(asked, answer, answer.data.choices.map(({ text }) => text).join(""));
  }
  for await (const { choices } of await client.completions.create({ ...body, stream: true }, asked))
    for (const { text } of choices) asked.note.onPiece(text);
}

async function askResponse(client: OpenAI, { id, model, isStream, usage }: Task, asked: Asked): Promise<void> {
  const body = { model, input: promptOf(id), max_output_tokens: 64, store: usage.input % 4 === 0 };
  if (!isStream) {
    const answer = await client.responses.create(body, asked).withResponse();
    return take(asked, answer, answer.data.output_text);
  }
  for await (const event of await client.responses.create({ ...body, stream: true }, asked))
    if (event.type === "response.output_text.delta") asked.note.onPiece(event.delta);
}

/** System B's operation, which the client has no method for. */
async function askPrompt(client: OpenAI, { id, isStream }: Task, asked: Asked): Promise<void> {
  const messages = [{ role: "user", content: promptOf(id) }];
  const body = { level: "low", r_type: "bpe", max_tokens: 64, messages, stream: isStream };
  type Chunk = { choices: { message?: Message; delta?: Message }[] };
  const { signal, headers } = asked;
  if (isStream) {
    const options = { body, signal, headers, stream: true as const };
    const stream = await client.post<AsyncIterable<Chunk>>("/prompt/completions", options);
    for await (const { choices } of stream) for (const { delta } of choices) asked.note.onPiece(saidIn(delta ?? {}));
    return;
  }
  const answer = await client.post<Chunk>("/prompt/completions", { body, signal, headers }).withResponse();
  take(asked, answer, answer.data.choices.map(({ message }) => saidIn(message ?? {})).join(""));
}

const bytesPerSecond = 32_000;

async function askTranscription(client: OpenAI, task: Task, asked: Asked): Promise<void> {
  const sizeBytes = 44 + secondsOf(task) * bytesPerSecond;
  const file = await toFile(soundOf({ seed: task.id, sizeBytes, compressible: true }), "said.wav", {
    type: "audio/wav",
  });
  const body = { file, model: task.model, prompt: `call-${task.id}` };
  const answer = await client.audio.transcriptions.create(body, asked).withResponse();
  take(asked, answer, answer.data.text);
}

async function askSpeech(client: OpenAI, { id, model }: Task, asked: Asked): Promise<void> {
  const response = await client.audio.speech.create({ model, voice: "alloy", input: promptOf(id) }, asked);
  if (!response.body) throw new Error("speech has no body");
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>)
    asked.note.onPiece(Buffer.from(part).toString("latin1"));
}

async function askOther(client: OpenAI, { kind, id, model }: Task, asked: Asked): Promise<void> {
  const input = promptOf(id);
  if (kind === "embedding") {
    const answer = await client.embeddings.create({ model, input, encoding_format: "float" }, asked).withResponse();
    return take(asked, answer, String(answer.data.data[0]?.embedding[0]));
  }
  if (kind === "image") {
    const answer = await client.images.generate({ model, prompt: input, quality: "low" }, asked).withResponse();
    return take(asked, answer, Buffer.from(answer.data.data?.[0]?.b64_json ?? "", "base64").toString("latin1"));
  }
  const answer = await client.moderations.create({ model, input }, asked).withResponse();
  take(asked, answer, answer.data.results.length === 1 ? "" : "no result");
}
