/** Server-Sent Events (WHATWG HTML section 9.2) as far as the API speaks them, and following one job to its end over as many connections as it takes. */
import { setTimeout as pause } from "node:timers/promises";
import { type Api, call } from "./http-client.ts";

export interface ServerEvent {
  id: string | null;
  type: string;
  data: string;
}

/** An event larger than this is no event of ours. */
const maxEventChars = 1_000_000;

/** The events of one connection. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let waiting = "";
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    waiting += decoder.decode(chunk, { stream: true });
    if (waiting.length > maxEventChars) throw new Error("An event of the stream is too large.");
    const blocks = waiting.split(/\r?\n\r?\n/);
    waiting = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = parseEvent(block);
      if (event) yield event;
    }
  }
}

/** A block without data (a comment that keeps the connection open) is no event. */
function parseEvent(block: string): ServerEvent | null {
  const event: ServerEvent = { id: null, type: "message", data: "" };
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value = ""] = /^([a-z]+):? ?(.*)$/.exec(line) ?? [];
    if (field === "id") event.id = value;
    if (field === "event") event.type = value;
    if (field === "data") data.push(value);
  }
  return data.length === 0 ? null : { ...event, data: data.join("\n") };
}

export interface EndedJob {
  id: string;
  state: "succeeded" | "failed" | "cancelled";
  result: Record<string, unknown> | null;
  problem: { code: string; detail: string } | null;
}

const maxConnections = 100;
/** Longer than the server keeps a connection open. */
const connectionTimeoutMs = 600_000;

interface Following {
  lastId: string | null;
  onEvent(event: ServerEvent): void;
}

/** Follows a job until its last event and returns the job; continues after the last event seen when a connection ends early. */
export async function followJob(api: Api, jobId: string, onEvent: (event: ServerEvent) => void): Promise<EndedJob> {
  const following: Following = { lastId: null, onEvent };
  for (let connection = 0; connection < maxConnections; connection += 1) {
    if (connection > 0) await pause(200);
    const ended = await followOnce(api, jobId, following);
    if (ended) return ended;
  }
  throw new Error(`Job ${jobId} did not end within ${maxConnections} connections.`);
}

/** One connection: the ended job, or null when the connection ended before it. */
async function followOnce(api: Api, jobId: string, following: Following): Promise<EndedJob | null> {
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (following.lastId !== null) headers["last-event-id"] = following.lastId;
  const response = await call(api, `GET /v1/jobs/${jobId}/events`, { headers, timeoutMs: connectionTimeoutMs });
  if (!response.body) throw new Error("The event stream has no body.");
  for await (const event of readEvents(response.body)) {
    if (event.type === "end") return JSON.parse(event.data) as EndedJob;
    following.lastId = event.id ?? following.lastId;
    following.onEvent(event);
  }
  return null;
}
