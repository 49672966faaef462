/**
 * A provider that answers at once and does nothing else, in a process of its own: what a call through a gateway takes longer than a call of this is
 * the gateway's. `?chunks=100&everyMs=0` of the base URL say how a stream comes.
 */
import { createServer } from "node:http";

const plain = JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o-mini",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello there." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
});

const event = (choices, more = {}) =>
  `data: ${JSON.stringify({ id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1, model: "gpt-4o-mini", choices, ...more })}\n\n`;
const token = event([{ index: 0, delta: { content: " word" }, finish_reason: null }]);
const end = event([{ index: 0, delta: {}, finish_reason: "stop" }]);
const use = (tokens) =>
  event([], { usage: { prompt_tokens: 12, completion_tokens: tokens, total_tokens: 12 + tokens } });

/** One write a token, as a model gives them. */
function stream(answer, { chunks, everyMs }) {
  answer.writeHead(200, { "content-type": "text/event-stream" });
  let left = chunks;
  const finish = () => answer.end(`${end}${use(chunks)}data: [DONE]\n\n`);
  if (everyMs > 0) {
    const timer = setInterval(() => {
      left -= 1;
      answer.write(token);
      if (left === 0) {
        clearInterval(timer);
        finish();
      }
    }, everyMs);
    answer.once("close", () => clearInterval(timer));
    return;
  }
  const next = () => {
    answer.write(token);
    left -= 1;
    if (left === 0) finish();
    else setImmediate(next);
  };
  next();
}

const server = createServer((request, answer) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = JSON.parse(Buffer.concat(parts).toString() || "{}");
    if (body.stream !== true) return answer.writeHead(200, { "content-type": "application/json" }).end(plain);
    const [, chunks = "20", everyMs = "0"] = /^chunks=(\d+) every=(\d+)$/.exec(body.messages[0].content) ?? [];
    return stream(answer, { chunks: Number(chunks), everyMs: Number(everyMs) });
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.once("disconnect", () => process.exit(0));
