/** One HTTP request on one fresh loopback connection, with as little work as possible on the client's side. */
import { connect } from "node:net";

const RECEIVE_BYTES = 1_048_576;

/**
 * Posts `parts` (Buffers) and reads the whole answer. Gives the milliseconds from connecting to the last byte and, with
 * `keep`, the answer's body. Throws for any status but 200.
 */
export function post(url, path, { parts, keep = false }) {
  const { hostname, port } = new URL(url);
  const sizeBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const memory = Buffer.allocUnsafe(RECEIVE_BYTES);
  const kept = [];
  let head = "";
  const stopPolling = poll();
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const callback = (count) => {
      if (keep) kept.push(Buffer.from(memory.subarray(0, count)));
      if (head.length < 15) head += memory.latin1Slice(0, Math.min(count, 64));
      return true;
    };
    const socket = connect({ host: hostname, port: Number(port), onread: { buffer: memory, callback } });
    socket.on("error", (error) => {
      stopPolling();
      reject(error);
    });
    socket.on("close", () => {
      stopPolling();
      const milliseconds = performance.now() - start;
      if (!head.startsWith("HTTP/1.1 200")) return reject(new Error(`${path}: ${head.split("\r\n")[0]}`));
      resolve({ milliseconds, body: keep ? bodyOf(Buffer.concat(kept)) : undefined });
    });
    socket.write(`POST ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: ${sizeBytes}\r\n\r\n`);
    for (const part of parts) socket.write(part);
  });
}

/**
 * Keeps the event loop from sleeping until the function it gives is called. The writer pays for waking a sleeping reader,
 * on virtual machines more than for the bytes it writes: 45 instead of 37 ms for 100 MiB.
 */
function poll() {
  let isPolling = true;
  const turn = () => {
    if (isPolling) setImmediate(turn);
  };
  turn();
  return () => {
    isPolling = false;
  };
}

/** The body of a raw answer with chunked transfer coding (RFC 9112 section 7.1). Throws when the last chunk is missing. */
function bodyOf(answer) {
  const chunks = [];
  let offset = answer.indexOf("\r\n\r\n") + 4;
  for (;;) {
    const end = answer.indexOf("\r\n", offset);
    const size = Number.parseInt(answer.latin1Slice(offset, end), 16);
    if (end < 0 || Number.isNaN(size)) throw new Error("the answer was cut off");
    if (size === 0) return Buffer.concat(chunks);
    chunks.push(answer.subarray(end + 2, end + 2 + size));
    offset = end + 2 + size + 2;
  }
}
