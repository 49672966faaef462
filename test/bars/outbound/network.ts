/**
 * A network for the bar, on loopback: every request that the Worker would send out arrives here instead, with the address that it was for.
 * Names are looked up in the bar's own zone, and every address that is not one of two public ones leads to the trap.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, isIP } from "node:net";
import { isTrap, zone } from "./urls.ts";

export interface Network {
  port: number;
  /** The addresses that led to the trap. */
  trapped: string[];
  close(): Promise<void>;
}

const resolver = "cloudflare-dns.com";

export async function openNetwork(): Promise<Network> {
  const trapped: string[] = [];
  const server = createServer((request, response) => answer(request, response, trapped));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    trapped,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, trapped: string[]): void {
  request.resume();
  // A redirect that was followed comes with its address in the path.
  const detour = new URL(request.url ?? "/", "http://network").searchParams.get("to");
  const wanted = new URL(detour ?? String(request.headers["x-bar-url"]));
  if (wanted.hostname === resolver) return lookUp(wanted, response);
  const host = wanted.hostname.replace(/^\[|\]$/g, "");
  const addresses = isIP(host) > 0 ? [host] : addressesOf(host);
  if (addresses.length === 0) return void response.destroy();
  // The network takes the worst of the addresses, as an attacker would have it.
  if (addresses.some(isTrap)) {
    trapped.push(wanted.href);
    response.end("the trap");
    return;
  }
  const [, status] = /^\/redirect\/(\d{3})$/.exec(wanted.pathname) ?? [];
  response.writeHead(status === undefined ? 200 : Number(status), {
    location: `/?to=${encodeURIComponent("http://127.0.0.1/trap")}`,
  });
  response.end();
}

function addressesOf(host: string): string[] {
  const name = host.replace(/\.$/, "");
  if (name === "localhost" || name.endsWith(".localhost")) return ["127.0.0.1"];
  return zone.get(name) ?? [];
}

function lookUp(wanted: URL, response: ServerResponse): void {
  const addresses = zone.get(wanted.searchParams.get("name") ?? "");
  const type = Number(wanted.searchParams.get("type"));
  const version = type === 1 ? 4 : 6;
  const records = (addresses ?? []).filter((address) => isIP(address) === version).map((data) => ({ type, data }));
  response.setHeader("content-type", "application/dns-json");
  response.end(JSON.stringify({ Status: addresses ? 0 : 3, Answer: records }));
}

/** Counts whoever connects to a port of loopback, whatever they want there. */
export async function openTrap(): Promise<{ port: number; hits(): number; close(): Promise<void> }> {
  let hits = 0;
  const server = createTcpServer((socket) => {
    hits += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    hits: () => hits,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}
