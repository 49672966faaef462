/** Brave's web search (api-dashboard.search.brave.com, "Web Search API"): `GET /res/v1/web/search`, at most 400 characters and 20 results. */
import type { Outbound } from "#core/outbound";
import type { SearchEngine } from "./contract.ts";
import { foundIn, readAnswer } from "./read.ts";

const maxQueryLength = 400;
const maxQueryWords = 50;
const maxCount = 20;

export function makeBrave(account: { baseUrl: string; key: string | null; outbound: Outbound }): SearchEngine {
  return {
    async find(query, { count, signal }) {
      const url = new URL(`${account.baseUrl}/res/v1/web/search`);
      const words = query.split(/\s+/).slice(0, maxQueryWords).join(" ").slice(0, maxQueryLength);
      url.searchParams.set("q", words);
      url.searchParams.set("count", String(Math.min(count, maxCount)));
      url.searchParams.set("safesearch", "moderate");
      const headers = { accept: "application/json", "x-subscription-token": account.key ?? "" };
      const answer = await readAnswer(account.outbound, new Request(url, { headers, signal }));
      const { web } = Object(answer) as { web?: unknown };
      // A search without results has no `web` at all.
      return foundIn(web === undefined ? [] : Object(web)["results"], { snippetName: "description", count });
    },
  };
}
