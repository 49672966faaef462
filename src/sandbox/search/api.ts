/**
 * A simulated search engine, in SearXNG's and in Brave's shape, and the pages that it finds. What is found is a function of the query; a word
 * in it makes something go wrong. Every answer says by `x-sandbox: 1` that nobody searched.
 */
import { pageNamed } from "./pages.ts";

interface Entry {
  title: string;
  url: string;
  text: string;
}

const headers = { "x-sandbox": "1", "cache-control": "no-store" };
const resultCount = 10;
/** Addresses that no search engine should be able to make anybody call. */
const hostile = [
  "http://169.254.169.254/latest/meta-data/",
  "http://127.0.0.1:22/",
  "https://[::1]/",
  "https://localhost/admin",
  "https://user:secret@example.com/",
  "file:///etc/passwd",
];

/** @param path below /__sandbox/search, without a slash at its start */
export async function answerSearch(request: Request, path: string): Promise<Response> {
  if (request.method !== "GET") return Response.json({ error: "method not allowed" }, { status: 405, headers });
  if (path.startsWith("pages/")) return pageNamed(path.slice("pages/".length), request);
  const url = new URL(request.url);
  const query = url.searchParams.get("q") ?? "";
  const isBrave = path === "res/v1/web/search";
  if (!isBrave && path !== "search") return Response.json({ error: "not found" }, { status: 404, headers });
  if (isBrave && !request.headers.get("x-subscription-token"))
    return Response.json(
      { type: "ErrorResponse", error: { code: "SUBSCRIPTION_TOKEN_INVALID" } },
      { status: 422, headers },
    );
  if (!isBrave && url.searchParams.get("format") !== "json") return new Response("Forbidden", { status: 403, headers });
  if (query === "") return Response.json({ error: "No query" }, { status: 400, headers });
  return faultOf(query) ?? answerOf(resultsFor(query, new URL(request.url).origin), { query, isBrave });
}

function faultOf(query: string): Response | null {
  if (query.includes("search-down")) return Response.json({ error: "down" }, { status: 503, headers });
  if (query.includes("search-limited"))
    return Response.json({ error: "too many" }, { status: 429, headers: { ...headers, "retry-after": "30" } });
  if (query.includes("search-broken")) return new Response('{"results": [', { headers });
  if (query.includes("search-shapeless")) return Response.json({ results: "none", web: { results: 7 } }, { headers });
  return null;
}

function resultsFor(query: string, origin: string): Entry[] {
  if (query.includes("search-empty")) return [];
  if (query.includes("search-hostile"))
    return hostile.map((url, index) => ({ title: `Hostile ${index + 1}`, url, text: "A secret of the inside." }));
  const kind = /pages-(injection|image|huge|missing|redirect-inside|redirect|plain)\b/.exec(query)?.[1] ?? "article";
  return Array.from({ length: resultCount }, (_, index) => ({
    title: `Sandbox ${kind} ${index + 1}`,
    url: `${origin}/__sandbox/search/pages/${kind}-${index + 1}`,
    text: `An excerpt of sandbox ${kind} ${index + 1}.`,
  }));
}

function answerOf(entries: Entry[], { query, isBrave }: { query: string; isBrave: boolean }): Response {
  if (!isBrave) {
    const results = entries.map(({ title, url, text }) => ({ title, url, content: text, engine: "sandbox" }));
    return Response.json({ query, number_of_results: results.length, results }, { headers });
  }
  const results = entries.map(({ title, url, text }) => ({ type: "search_result", title, url, description: text }));
  const web = { type: "search", results };
  return Response.json({ type: "search", query: { original: query }, ...(results.length ? { web } : {}) }, { headers });
}
