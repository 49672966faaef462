/** Asks a gateway and takes the time. One keep-alive connection for each call that is under way. */
import { Agent, request } from "node:http";
import { performance } from "node:perf_hooks";

export function makeAgent(maxSockets) {
  return new Agent({ keepAlive: true, maxSockets });
}

/** Returns when the first byte of the body came, when the last, and when each piece came, in milliseconds from the call. */
export function ask(agent, { url, headers }, body) {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        agent,
        method: "POST",
        headers: { "content-type": "application/json", ...headers, "content-length": Buffer.byteLength(body) },
      },
      (answer) => {
        const pieces = [];
        let tail = "";
        answer.on("data", (piece) => {
          pieces.push(performance.now() - begun);
          tail = (tail + piece.toString("latin1")).slice(-64);
        });
        answer.once("error", reject);
        answer.once("end", () => {
          if (answer.statusCode !== 200) return reject(new Error(`${url} answered ${answer.statusCode}: ${tail}`));
          return resolve({ firstMs: pieces[0], lastMs: pieces.at(-1), pieces, tail });
        });
      },
    );
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

export const plainBody = JSON.stringify({
  model: "gpt-4o-mini",
  max_tokens: 16,
  messages: [{ role: "user", content: "Say hello, please." }],
});

export function streamBody(chunks, everyMs) {
  const content = `chunks=${chunks} every=${everyMs}`;
  return JSON.stringify({
    model: "gpt-4o-mini",
    stream: true,
    max_tokens: chunks + 1,
    messages: [{ role: "user", content }],
  });
}
