/** A provider of models that answers at once, so that responses, streams and batches come about and keys are taken. It looks at nothing. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const about = { id: "bar", created: 1, model: "gpt-4o-mini" };
const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
const message = { role: "assistant", content: "Hello." };

const answers: Record<string, object> = {
  "/v1/models": { object: "list", data: [{ id: "gpt-4o-mini", object: "model" }] },
  "/v1/chat/completions": {
    ...about,
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage,
  },
  "/v1/responses": {
    ...about,
    object: "response",
    status: "completed",
    output: [
      {
        id: "msg_1",
        type: "message",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: "Hello.", annotations: [] }],
      },
    ],
    usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
  },
};

const event = (members: object) =>
  `data: ${JSON.stringify({ ...about, object: "chat.completion.chunk", choices: [], ...members })}\n\n`;
const streamed = [
  event({ choices: [{ index: 0, delta: message, finish_reason: null }] }),
  event({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
  event({ usage }),
  "data: [DONE]\n\n",
].join("");

const maxBodyBytes = 1_000_000;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const piece of request as AsyncIterable<Buffer>) if (body.length < maxBodyBytes) body += piece.toString();
  const known = answers[request.url ?? ""];
  if (!known) return void response.writeHead(404).end("{}");
  if (/"stream":\s*true/.test(body))
    return void response.writeHead(200, { "content-type": "text/event-stream" }).end(streamed);
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(known));
}

export interface Provider {
  /** What a workspace's own key is for. */
  url: string;
  /** What the server has to be started with. */
  vars: Record<string, string>;
  close(): void;
}

export async function openProvider(): Promise<Provider> {
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  const url = `http://${host}/v1`;
  return {
    url,
    vars: { PROVIDER_OPENAI_BASE_URL: url, PROVIDER_OPENAI_KEY: "bar", OUTBOUND_TENANT_ALLOW: host },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
