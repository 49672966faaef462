/** A provider of models as far as a check of a key sees it: it has a list, and refuses keys that begin with `wrong`. Loopback only. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Provider {
  host: string;
  baseUrl: string;
  /** Keys that it was shown, oldest first. */
  shown: string[];
  close(): Promise<void>;
}

export async function openProvider(): Promise<Provider> {
  const shown: string[] = [];
  const server = createServer((request, response) => {
    const key = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    shown.push(key);
    response.writeHead(key.startsWith("wrong") ? 401 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify({ object: "list", data: [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    baseUrl: `http://${host}/v1`,
    shown,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
