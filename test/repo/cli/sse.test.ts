/** Server-Sent Events as the commands read them: any cut of the stream, comments, and a connection that ends early. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { followJob, readEvents, type ServerEvent } from "../../../src/cli/sse.ts";

const stream =
  ': ping\n\nid: 1\nevent: progress\ndata: {"step":"ü"}\n\nid: 2\r\nevent: progress\r\ndata: a\r\ndata: b\r\n\r\ndata: bare\n\nevent: cut\ndata: nev';
const expected = [
  { id: "1", type: "progress", data: '{"step":"ü"}' },
  { id: "2", type: "progress", data: "a\nb" },
  { id: null, type: "message", data: "bare" },
];

function inPieces(text: string, sizeBytes: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += sizeBytes) controller.enqueue(bytes.slice(at, at + sizeBytes));
      controller.close();
    },
  });
}

async function collect(body: ReadableStream<Uint8Array>): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

describe("events of one connection", () => {
  it.each([1, 2, 3, 7, 1_000])("are the same when the stream comes in pieces of %i bytes", async (sizeBytes) => {
    expect(await collect(inPieces(stream, sizeBytes))).toEqual(expected);
  });

  it("that never end are refused", async () => {
    await expect(collect(inPieces(`data: ${"x".repeat(1_100_000)}`, 65_536))).rejects.toThrow("too large");
  });
});

describe("following a job", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it("goes on after the last event seen, and returns the job of the last event", async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.headers["last-event-id"] as string | undefined);
      response.writeHead(200, { "content-type": "text/event-stream" });
      if (asked.length === 1) return response.end("id: 7\nevent: progress\ndata: one\n\n");
      return response.end(
        'id: 8\nevent: succeeded\ndata: two\n\nevent: end\ndata: {"id":"job_1","state":"succeeded"}\n\n',
      );
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const seen: string[] = [];
    const job = await followJob({ url: `http://127.0.0.1:${port}`, token: "t" }, "job_1", (event) =>
      seen.push(event.data),
    );
    expect(asked).toEqual([undefined, "7"]);
    expect(seen).toEqual(["one", "two"]);
    expect(job).toEqual({ id: "job_1", state: "succeeded" });
  });
});
