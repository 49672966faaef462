/** SearXNG's JSON search (docs.searxng.org, "Search API"): `GET /search?q=&format=json`. The instance has to allow the format. */
import type { Outbound } from "#core/outbound";
import type { SearchEngine } from "./contract.ts";
import { foundIn, readAnswer } from "./read.ts";

export function makeSearxng(account: { baseUrl: string; key: string | null; outbound: Outbound }): SearchEngine {
  return {
    async find(query, { count, signal }) {
      const url = new URL(`${account.baseUrl}/search`);
      for (const [name, value] of Object.entries({ q: query, format: "json", safesearch: "1", pageno: "1" }))
        url.searchParams.set(name, value);
      // SearXNG itself knows no keys; a proxy before it may.
      const headers = {
        accept: "application/json",
        ...(account.key === null ? {} : { authorization: `Bearer ${account.key}` }),
      };
      const answer = await readAnswer(account.outbound, new Request(url, { headers, signal }));
      return foundIn(Object(answer)["results"], { snippetName: "content", count });
    },
  };
}
