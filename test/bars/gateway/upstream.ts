/**
 * Two providers behind one port, on loopback: they speak OpenAI's language, do what the plan of each call says, and keep books about it. A call
 * is known by the word `call-<id>` somewhere in what it asks.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Asking, Books, Provider } from "./books.ts";
import type { Fault, Task } from "./tasks.ts";
import { type Form, framesOf, piecesOf, plainAnswer, toldUsage, wholeText } from "./wire.ts";

const forms: Record<string, Form | "speech"> = {
  "/chat/completions": "chat",
  "/completions": "completion",
  "/responses": "response",
  "/embeddings": "embedding",
  "/audio/transcriptions": "transcription",
  "/audio/speech": "speech",
  "/images/generations": "image",
  "/moderations": "moderation",
};

const json = { "content-type": "application/json" };
const events = { "content-type": "text/event-stream" };
const page = "<!doctype html><html><body>We will be right back.</body></html>";
export const retryAfterSeconds = 1;
/** Before an answer: long enough that callers can leave before it. */
const thinkingMs = 60;
/** After the last piece and before what ends a stream, where a caller leaves in between; and before a fault, so that what came before it is read. */
const restMs = { leaving: 400, fault: 40 };
/** Who reads an answer to its end keeps the connection. */
const hangUpMs = 500;

export interface Upstream {
  url(provider: Provider): string;
  /** From now on calls are looked up and written down there. */
  keep(books: Books): void;
}

/** It ends with the process, and does not keep it. */
export async function openUpstream(): Promise<Upstream> {
  let books: Books | null = null;
  const server = createServer((request, response) => {
    const answered = books ? answer(books, request, response) : Promise.reject(new Error("nobody keeps books"));
    answered.catch((thrown: Error) => {
      // A server that is killed while it asks.
      if (thrown.message !== "aborted") process.stderr.write(`provider: ${thrown.stack}\n`);
      response.destroy();
    });
  });
  server.unref();
  // Connections that the product may still use are not closed under its hands.
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (provider) => `http://127.0.0.1:${port}/${provider}/v1`,
    keep: (given) => {
      books = given;
    },
  };
}

interface Answering {
  task: Task;
  form: Form | "speech";
  isStream: boolean;
  asking: Asking;
  pieces: string[];
  response: ServerResponse;
}

async function answer(books: Books, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts).toString("latin1");
  const [, provider, path = ""] = /^\/(one|two)\/v1(\/.*)$/.exec(request.url ?? "") ?? [];
  const task = books.taskOf(Number(/call-(\d+)/.exec(body)?.[1]));
  const form = forms[path];
  if (!task || !form) throw new Error(`${request.url} was asked for nothing that is known: ${body.slice(0, 300)}`);
  const index = books.askingsOf(task.id).length;
  const pieces = piecesOf(task, index);
  const asking: Asking = {
    provider: provider as Provider,
    requestId: String(request.headers["x-request-id"]),
    act: task.acts[index] ?? null,
    atMs: Date.now(),
    text: wholeText(task, pieces),
    sent: 0,
    usage: null,
    end: null,
    endedAtMs: 0,
    hungUp: false,
  };
  books.add(task.id, asking);
  watch(asking, response);
  const isStream = /"stream":\s*true/.test(body);
  await pause(task.leaves?.at === "start" ? thinkingMs * 3 : thinkingMs / 4);
  await play({ task, form, isStream, asking, pieces, response });
}

function finish(asking: Asking, end: "whole" | "broken" | "left"): void {
  if (asking.end !== null) return;
  asking.end = end;
  asking.endedAtMs = Date.now();
}

function watch(asking: Asking, response: ServerResponse): void {
  const { socket } = response;
  const onClose = () => {
    if (asking.end === null) finish(asking, "left");
    else if (asking.end === "whole" && Date.now() - asking.endedAtMs < hangUpMs) asking.hungUp = true;
  };
  socket?.once("close", onClose);
  response.once("finish", () => {
    finish(asking, "whole");
    setTimeout(() => socket?.off("close", onClose), hangUpMs).unref();
  });
}

/** Ends the connection in the middle of what was promised. */
function breakOff({ asking, response }: Answering): void {
  finish(asking, "broken");
  response.destroy();
}

const refusals: Partial<Record<Fault, [status: number, headers: Record<string, string>, body: object]>> = {
  "rate-limited": [429, { "retry-after": String(retryAfterSeconds) }, error("Slow down.", "rate_limit_exceeded")],
  error: [500, {}, error("It broke.", "server_error")],
  unavailable: [503, {}, error("Too much to do.", "overloaded")],
  credentials: [401, {}, error("Incorrect API key provided.", "invalid_api_key")],
  refused: [400, {}, error("That cannot be asked.", "context_length_exceeded")],
};

function error(message: string, code: string): object {
  return { error: { message, type: "provider_error", code, param: null } };
}

async function play(answering: Answering): Promise<void> {
  const { asking, response, isStream, form } = answering;
  const fault = asking.act?.fault;
  if (fault === "no-headers") return;
  if (fault === "drop") return breakOff(answering);
  const refusal = fault === undefined ? undefined : refusals[fault];
  if (refusal) {
    const [status, headers, body] = refusal;
    response.writeHead(status, { ...json, ...headers }).end(JSON.stringify(body));
    return;
  }
  const type = form === "speech" ? { "content-type": "audio/mpeg" } : isStream ? events : json;
  if (fault === "empty") return void response.writeHead(200, type).end();
  if (fault === "page") return void response.writeHead(200, type).end(page);
  if (fault === "other-type") return otherType(answering);
  if (form === "speech") return sound(answering);
  return isStream ? stream(answering, form) : plain(answering, form);
}

/** A whole answer where a stream was asked for, a stream where an answer was, a picture's JSON where sound was. */
function otherType({ task, form, isStream, pieces, response }: Answering): void {
  if (form === "speech") response.writeHead(200, json).end('{"text":"no sound"}');
  else if (isStream) response.writeHead(200, json).end(plainAnswer(form, task, pieces));
  else response.writeHead(200, events).end(framesOf("chat", task, pieces).pieces.join(""));
}

async function plain(answering: Answering, form: Form): Promise<void> {
  const { task, asking, pieces, response } = answering;
  const text = plainAnswer(form, task, pieces);
  const half = text.slice(0, text.length / 2);
  const fault = asking.act?.fault;
  if (fault === "cut" || fault === "silence") {
    response.writeHead(200, { ...json, "content-length": Buffer.byteLength(text) });
    response.write(half);
    await pause(restMs.fault);
    if (fault === "cut") breakOff(answering);
    return;
  }
  if (fault === "end") return void response.writeHead(200, json).end(half);
  if (fault === "bad-json") return void response.writeHead(200, json).end(`${text.slice(0, -1)},}`);
  if (fault === "error-event")
    return void response.writeHead(200, json).end(JSON.stringify(error("It broke.", "server_error")));
  asking.usage = toldUsage(task);
  asking.sent = pieces.length;
  response.writeHead(200, { ...json, "content-length": Buffer.byteLength(text) }).end(text);
}

async function sound(answering: Answering): Promise<void> {
  const { task, asking, pieces, response } = answering;
  response.writeHead(200, { "content-type": "audio/mpeg" });
  response.flushHeaders();
  for (const piece of pieces) {
    if (asking.act?.after === asking.sent) return fail(answering);
    if (asking.end !== null) return;
    response.write(piece);
    asking.sent += 1;
    await pause(task.everyMs);
  }
  if (task.leaves?.at === "end") await pause(restMs.leaving);
  if (asking.end === null) response.end();
}

/** What goes wrong in the middle of a stream. */
async function fail(answering: Answering): Promise<void> {
  const { asking, response } = answering;
  const fault = asking.act?.fault;
  if (fault === "silence") return;
  await pause(restMs.fault);
  if (fault === "cut") breakOff(answering);
  else if (fault === "end") response.end();
}

async function stream(answering: Answering, form: Form): Promise<void> {
  const { task, asking, pieces, response } = answering;
  const frames = framesOf(form, task, pieces);
  const told = toldUsage(task);
  const steps = [
    ...frames.pieces.map((bytes) => ({ bytes, isPiece: true, usage: null })),
    { bytes: frames.finish, isPiece: false, usage: form === "response" ? told : null },
    ...(frames.usage === null ? [] : [{ bytes: frames.usage, isPiece: false, usage: told }]),
  ];
  response.writeHead(200, events);
  const write = openWriter(response, task);
  write(frames.opening.join(""));
  const after = asking.act?.after ?? Number.POSITIVE_INFINITY;
  for (const [at, { bytes, isPiece, usage }] of steps.entries()) {
    if (at === after && (await breaks(answering, write))) return;
    if (asking.end !== null) return;
    if (at === pieces.length && task.leaves?.at === "end") await pause(restMs.leaving);
    write(bytes);
    if (isPiece) asking.sent += 1;
    asking.usage = usage ?? asking.usage;
    if (isPiece && !task.isBurst) await pause(task.everyMs);
  }
  if (after >= steps.length && asking.act && (await breaks(answering, write))) return;
  if (asking.end !== null) return;
  write(frames.done);
  write(null);
  response.end();
}

type Write = (bytes: string | null) => void;

/** A burst is gathered and goes out at once, with `null`. */
function openWriter(response: ServerResponse, { isBurst }: Task): Write {
  let gathered = "";
  return (bytes) => {
    if (bytes !== null && isBurst) gathered += bytes;
    else if (bytes !== null && bytes !== "") response.write(bytes);
    if (bytes !== null || gathered === "") return;
    response.write(gathered);
    gathered = "";
  };
}

/** True: the stream goes no further; broken JSON and an error stand in its middle, and the provider goes on as if nothing were. */
async function breaks(answering: Answering, write: Write): Promise<boolean> {
  const fault = answering.asking.act?.fault;
  if (fault === "bad-json") write('data: {"choices":[{\n\n');
  if (fault === "error-event") write(`data: ${JSON.stringify(error("It broke.", "server_error"))}\n\n`);
  if (fault === "bad-json" || fault === "error-event") return false;
  write(null);
  if (answering.asking.sent === 0) answering.response.flushHeaders();
  await fail(answering);
  return true;
}
