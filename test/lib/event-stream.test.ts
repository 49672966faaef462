import { describe, expect, it } from "vitest";
import {
  type EventBatch,
  firstEvents,
  numberEvents,
  openEventReader,
  skipEvents,
  withoutEvents,
} from "#lib/event-stream";

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text));
const textOf = ({ bytes }: Pick<EventBatch, "bytes">) => Buffer.from(bytes).toString();

function readAll(pieces: readonly Uint8Array<ArrayBuffer>[]) {
  const reader = openEventReader();
  const batches = pieces.map((piece) => reader.push(piece));
  return {
    data: batches.flatMap(({ events }) => events.map(({ data }) => data)),
    text: batches.map(textOf).join(""),
    isDone: batches.some(({ isDone }) => isDone),
    isBroken: batches.some(({ isBroken }) => isBroken),
    restBytes: reader.restBytes,
  };
}

const plain = 'data: {"n":1,"text":"é\\n\\ndata: no event"}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n';

describe("reading events", () => {
  it("reads many at once and passes their bytes on unchanged", () => {
    const read = readAll([bytesOf(plain)]);
    expect(read.data).toEqual([{ n: 1, text: "é\n\ndata: no event" }, { n: 2 }]);
    expect(read).toMatchObject({ text: plain, isDone: true, isBroken: false, restBytes: 0 });
  });

  it("reads the same wherever the bytes are cut, in the middle of a character too", () => {
    const all = bytesOf(plain);
    for (let at = 1; at < all.length; at += 1) {
      const read = readAll([all.slice(0, at), all.slice(at)]);
      expect(read).toMatchObject({ text: plain, isDone: true, isBroken: false, restBytes: 0 });
      expect(read.data).toHaveLength(2);
    }
    const single = readAll([...all].map((byte) => Uint8Array.of(byte)));
    expect(single).toMatchObject({ text: plain, isDone: true });
  });

  it("reads names, comments, lines with CRLF and data over several lines", () => {
    const text = ': waiting\n\nevent: response.created\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata:{"b":2}\n\n';
    const reader = openEventReader();
    const batch = reader.push(bytesOf(text));
    expect(batch.events).toEqual([
      { name: "response.created", data: { a: 1 } },
      { name: null, data: { b: 2 } },
    ]);
    expect(textOf(batch)).toBe(text);
  });

  it.each([
    ["a value cut short", 'data: {"n":1}\n\ndata: {"n":\n\ndata: {"n":3}\n\n'],
    ["no JSON", 'data: {"n":1}\n\ndata: hello\n\n'],
    ["a bare object in place of an event", 'data: {"n":1}\n\n{"error":"x"}\n\n'],
  ])("stops before %s", (_, text) => {
    const read = readAll([bytesOf(text)]);
    expect(read).toMatchObject({ data: [{ n: 1 }], text: 'data: {"n":1}\n\n', isBroken: true });
  });

  it("keeps what has not ended, and calls one that never ends broken", () => {
    const reader = openEventReader();
    expect(reader.push(bytesOf('data: {"n":1}\n')).events).toEqual([]);
    expect(reader.restBytes).toBe(14);
    expect(reader.push(new Uint8Array(17 * 1024 * 1024)).isBroken).toBe(true);
  });

  it("reads nothing behind the end", () => {
    const read = readAll([bytesOf('data: {"n":1}\n\ndata: [DONE]\n\n: bye\n\n')]);
    expect(read).toMatchObject({ isDone: true, text: 'data: {"n":1}\n\ndata: [DONE]\n\n' });
  });

  it("takes single events out and leaves the rest as it is", () => {
    const batch = openEventReader().push(bytesOf(': hi\n\ndata: {"n":1}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n'));
    const left = withoutEvents(batch, ({ data }) => (data as { n: number }).n === 2);
    expect(Buffer.from(left).toString()).toBe(': hi\n\ndata: {"n":1}\n\ndata: [DONE]\n\n');
  });

  it.each([
    ['data: {"n":1}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n', 'data: {"n":1}\n\ndata: [DONE]\n\n'],
    ['data: {"n":2}\n\n', ""],
    // Two values in one event, which is no JSON: what it is taken for must not move what is hidden.
    ['data: {"n":1},{"n":1}\n\ndata: {"n":2}\n\ndata: {"n":3}\n\n', 'data: {"n":1},{"n":1}\n\ndata: {"n":3}\n\n'],
  ])("takes them out of what is nothing but data (%j)", (text, left) => {
    const batch = openEventReader().push(bytesOf(text));
    expect(Buffer.from(withoutEvents(batch, ({ data }) => (data as { n: number }).n === 2)).toString()).toBe(left);
  });

  it("ends a batch before an event", () => {
    const batch = openEventReader().push(bytesOf(': hi\n\ndata: {"n":1}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n'));
    expect({ ...firstEvents(batch, 1), bytes: textOf(firstEvents(batch, 1)) }).toEqual({
      bytes: ': hi\n\ndata: {"n":1}\n\n',
      events: [{ name: null, data: { n: 1 } }],
      isDone: false,
      isBroken: true,
    });
    expect(textOf(firstEvents(batch, 0))).toBe(": hi\n\n");
  });
});

describe("numbers of events", () => {
  it("stand last in each, comments and line ends of all kinds among them, and win over an id that was there", () => {
    const text = "data: 1\n\n: waiting\n\nid: x\r\nevent: e\r\ndata: 2\r\n\r\ndata: [DONE]\n\n";
    const { text: numbered, count } = numberEvents(text, 7);
    expect(count).toBe(4);
    expect(numbered).toBe(
      "data: 1\nid: 7\n\n: waiting\nid: 8\n\nid: x\r\nevent: e\r\ndata: 2\r\nid: 9\n\ndata: [DONE]\nid: 10\n\n",
    );
    expect(skipEvents(numbered, 3)).toBe("data: [DONE]\nid: 10\n\n");
    expect(skipEvents(numbered, 0)).toBe(numbered);
    expect(skipEvents(numbered, -2)).toBe(numbered);
    expect(skipEvents(numbered, 4)).toBe("");
    expect(numberEvents("", 1)).toEqual({ text: "", count: 0 });
  });
});
