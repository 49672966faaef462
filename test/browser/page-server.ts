/** Serves the test page from an origin of its own, as a web app of a user of the API would be. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { stripTypeScriptTypes } from "node:module";

const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Upload test</title><link rel="icon" href="data:,"></head>
<body><h1>Upload test</h1><input type="file" id="file"><ol id="log"></ol><script type="module" src="/page.js"></script></body></html>`;

export interface PageServer {
  origin: string;
  close(): Promise<void>;
}

const usualScript = () => stripTypeScriptTypes(readFileSync(new URL("page.ts", import.meta.url), "utf8"));

export async function servePage(script = usualScript()): Promise<PageServer> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html; charset=utf-8" });
    response.end(isScript ? script : html);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { origin: `http://127.0.0.1:${port}`, close };
}
