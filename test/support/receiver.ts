/**
 * A real server on loopback for what the Worker sends out, started before the tests that run in workerd. The first segment of a path says
 * how it answers (`/200/box`, `/410/box`, `/302/box`, `/slow/box`), the second names a box; `GET /box/<name>` tells what came in.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    receiver: string;
  }
}

export interface Received {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

const boxes = new Map<string, Received[]>();

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? "/";
  const [, how = "", box = ""] = path.split("/");
  if (how === "box") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(boxes.get(box) ?? []));
    return;
  }
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  boxes.set(box, [
    ...(boxes.get(box) ?? []),
    { method: request.method ?? "", path, headers, body: await readBody(request) },
  ]);
  if (how === "slow") return;
  const status = Number(how);
  response.writeHead(status, status === 302 ? { location: `/200/${box}-trap` } : {});
  response.end("what the endpoint says stays with it".repeat(1_000));
}

const server = createServer((request, response) => void answer(request, response));

export async function setup(project: TestProject): Promise<void> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  project.provide("receiver", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

export async function teardown(): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
}
