/**
 * Reads Server-Sent Events (WHATWG HTML 9.2.6) whose data is JSON, many at a time: a model's stream has one small event a token, and one call of
 * the JSON parser for all events that arrived together costs a fraction of one call for each. Bytes of whole events are passed on as they came.
 */

export interface StreamEvent {
  /** The `event:` field; null where there is none. */
  name: string | null;
  data: unknown;
}

export interface EventBatch {
  /** Whole events as they came, comments included; what is broken and what follows it is left out. */
  bytes: Uint8Array<ArrayBuffer>;
  events: StreamEvent[];
  /** `data: [DONE]` was read: nothing follows. */
  isDone: boolean;
  /** An event whose data is no JSON was read, or one longer than `maxEventBytes`. */
  isBroken: boolean;
  /** Nothing but `data: ` lines with an empty line behind each. */
  isPlain?: boolean;
}

export interface EventReader {
  push(bytes: Uint8Array<ArrayBuffer>): EventBatch;
  /** Bytes of an event that has not ended. */
  readonly restBytes: number;
}

/** Images in parts come as events of some megabytes. */
const maxEventBytes = 16 * 1024 * 1024;
const decoder = new TextDecoder();
const done = "[DONE]";
const lineFeed = 10;

export function openEventReader(): EventReader {
  let rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  return {
    get restBytes() {
      return rest.length;
    },
    push(bytes) {
      const all = rest.length === 0 ? bytes : Uint8Array.from(Buffer.concat([rest, bytes]));
      const end = endOfEvents(all);
      rest = all.subarray(end);
      if (end === 0)
        return { bytes: all.subarray(0, 0), events: [], isDone: false, isBroken: rest.length > maxEventBytes };
      return readEvents(all.subarray(0, end));
    },
  };
}

/** The offset behind the last whole event. Lines end by LF or CRLF; CR alone, which nobody sends, is not looked for. */
function endOfEvents(bytes: Uint8Array<ArrayBuffer>): number {
  // As nearly everything that is read ends: whole events, lines that end by LF.
  if (bytes.at(-1) === lineFeed && bytes.at(-2) === lineFeed) return bytes.length;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const plain = buffer.lastIndexOf("\n\n");
  const withReturn = buffer.lastIndexOf("\r\n\r\n");
  return Math.max(plain === -1 ? 0 : plain + 2, withReturn === -1 ? 0 : withReturn + 4);
}

function readEvents(bytes: Uint8Array<ArrayBuffer>): EventBatch {
  const text = decoder.decode(bytes);
  const isDone = text.endsWith(`data: ${done}\n\n`);
  const events = readAtOnce(isDone ? text.slice(0, -(done.length + 8)) : text);
  return events ? { bytes, events, isDone, isBroken: false, isPlain: true } : readOneByOne(bytes, text);
}

/** JSON has no line break inside, so what lies between two `data: ` is one value. Null: the text is not of this plain form. */
function readAtOnce(text: string): StreamEvent[] | null {
  if (text === "") return [];
  if (!text.startsWith("data: ")) return null;
  try {
    const values = JSON.parse(`[${text.slice(6, -2).replaceAll("\n\ndata: ", ",")}]`) as unknown[];
    return values.map((data) => ({ name: null, data }));
  } catch {
    return null;
  }
}

function readOneByOne(bytes: Uint8Array<ArrayBuffer>, text: string): EventBatch {
  const events: StreamEvent[] = [];
  let goodBytes = 0;
  for (const block of blocksOf(text)) {
    const read = readBlock(block);
    if (read === "broken") return { bytes: bytes.subarray(0, goodBytes), events, isDone: false, isBroken: true };
    goodBytes += Buffer.byteLength(block);
    if (read === done) return { bytes: bytes.subarray(0, goodBytes), events, isDone: true, isBroken: false };
    if (read) events.push(read);
  }
  return { bytes, events, isDone: false, isBroken: false };
}

function blocksOf(text: string): string[] {
  // Splitting is several times as fast, and nearly all streams are like this.
  if (!text.includes("\r"))
    return text
      .split("\n\n")
      .slice(0, -1)
      .map((block) => `${block}\n\n`);
  return text.match(/[^]*?(?:\r?\n){2}/g) ?? [];
}

function readBlock(block: string): StreamEvent | typeof done | "broken" | null {
  let name: string | null = null;
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    else if (line.startsWith("{")) return "broken";
  }
  if (data.length === 0) return null;
  const joined = data.join("\n");
  if (joined === done) return done;
  try {
    return { name, data: JSON.parse(joined) as unknown };
  } catch {
    return "broken";
  }
}

/**
 * Gives each event of a text its number as its `id:` (WHATWG HTML 9.2.6: a reader that lost the connection names the last one). It stands last, so
 * that it wins over an id that the event had.
 */
export function numberEvents(text: string, firstId: number): { text: string; count: number } {
  const numbered = blocksOf(text).map((block, index) => `${block.replace(/\r?\n$/, "")}id: ${firstId + index}\n\n`);
  return { text: numbered.join(""), count: numbered.length };
}

/** The text without its first events. */
export function skipEvents(text: string, count: number): string {
  return count <= 0 ? text : blocksOf(text).slice(count).join("");
}

/** The same batch without the events that `isHidden` names. */
export function withoutEvents(batch: EventBatch, isHidden: (event: StreamEvent) => boolean): Uint8Array<ArrayBuffer> {
  const text = decoder.decode(batch.bytes);
  const blocks = text.split("\n\n");
  // One block for each event, one for the end if it is there, and nothing behind the last empty line.
  if (batch.isPlain && blocks.length === batch.events.length + (batch.isDone ? 2 : 1)) {
    const hidden = new Set(batch.events.flatMap((event, index) => (isHidden(event) ? [index] : [])));
    return Uint8Array.from(Buffer.from(blocks.filter((_, index) => !hidden.has(index)).join("\n\n")));
  }
  const kept = blocksOf(text).filter((block) => {
    const read = readBlock(block);
    return read === null || typeof read === "string" || !isHidden(read);
  });
  return Uint8Array.from(Buffer.from(kept.join("")));
}

/** As much of a batch as stands before the event behind the first `count`: there it is broken. */
export function firstEvents({ bytes, events }: EventBatch, count: number): EventBatch {
  let left = count;
  let keptBytes = 0;
  for (const block of blocksOf(decoder.decode(bytes))) {
    const read = readBlock(block);
    if (typeof read === "object" && read !== null) left -= 1;
    if (left < 0) break;
    keptBytes += Buffer.byteLength(block);
  }
  return { bytes: bytes.subarray(0, keptBytes), events: events.slice(0, count), isDone: false, isBroken: true };
}
