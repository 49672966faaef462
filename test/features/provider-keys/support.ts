/** Providers of models as a check of a key sees them, and the keys that tests bring. */
import { vi } from "vitest";
import { bindings, type Person } from "#test/support/harness";

/** What was asked of the network since the test began. */
export const asked: Request[] = [];

/** Providers as far as a check sees them: keys that hold `wrong` are refused, hosts that hold `down` do not answer. */
export function answerAsProviders(): void {
  asked.length = 0;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const request = input as Request;
    asked.push(request);
    const { hostname, pathname, searchParams } = new URL(request.url);
    if (hostname === "cloudflare-dns.com") {
      const isPrivate = searchParams.get("name")?.startsWith("inside") === true;
      const data = isPrivate ? "10.0.0.1" : "93.184.216.34";
      return Response.json({ Status: 0, Answer: searchParams.get("type") === "1" ? [{ type: 1, data }] : [] });
    }
    if (hostname.includes("down")) throw new TypeError("no network");
    const { headers } = request;
    const key = headers.get("authorization") ?? headers.get("x-api-key") ?? headers.get("xi-api-key") ?? "";
    if (key.includes("busy")) return new Response("busy", { status: 503 });
    if (key.includes("wrong")) return new Response(`wrong key ${key}`, { status: 401 });
    if (hostname.includes("nolist") && pathname.endsWith("/models")) return new Response("?", { status: 404 });
    return pathname.endsWith("/chat/completions")
      ? new Response("empty", { status: 400 })
      : Response.json({ object: "list", data: [] });
  });
}

export const add = (who: Person, body: object) => who.call("POST", "/v1/provider-keys", { body });
export const secretOf = (start = "sk-p") => `${start}${crypto.randomUUID()}`;
export const rowOf = (id: string) =>
  bindings.DB.prepare("select * from provider_keys where id = ?").bind(id).first<Record<string, unknown>>();

export const use = (keyId: string, change: object = {}) => ({
  keyId,
  endpoint: "chat",
  status: 200,
  durationMs: 100,
  tokens: 10,
  costMicroUsd: 5,
  error: null,
  ...change,
});
