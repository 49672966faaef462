/** Search engines: what is asked in whose words, what is read of an answer, and what is no answer. */
import { describe, expect, it } from "vitest";
import { makeBrave } from "#adapters/search/brave";
import { SearchError } from "#adapters/search/contract";
import { searchEngineOf } from "#adapters/search/index";
import { makeSearxng } from "#adapters/search/searxng";
import { EnvironmentError, readSettings } from "#core/env";
import type { Outbound } from "#core/outbound";
import { bindings } from "#test/support/harness";

const signal = AbortSignal.timeout(10_000);

function network(answer: () => Response | Promise<Response>) {
  const requests: Request[] = [];
  const outbound = {
    operator: async (request: Request) => {
      requests.push(request);
      return answer();
    },
  } as unknown as Outbound;
  return { outbound, requests };
}

const account = (outbound: Outbound, key: string | null = null) => ({
  baseUrl: "https://search.test/base",
  key,
  outbound,
});

describe("SearXNG", () => {
  it("is asked for JSON, and its results are read with bounds", async () => {
    const results = [
      { title: "One", url: "https://one.test/", content: "  An\n excerpt " },
      { title: 7, url: "https://two.test/", content: null },
      { title: "Script", url: "javascript:alert(1)", content: "" },
      { title: "File", url: "file:///etc/passwd" },
      null,
      { title: "x".repeat(1_000), url: "http://three.test/", content: "y".repeat(9_000) },
      { title: "Beyond", url: "https://four.test/" },
    ];
    const { outbound, requests } = network(() => Response.json({ results }));
    const found = await makeSearxng(account(outbound, "secret")).find("bees & flowers", { count: 4, signal });
    expect(found.map(({ url }) => url)).toEqual([
      "https://one.test/",
      "https://two.test/",
      "http://three.test/",
      "https://four.test/",
    ]);
    expect(found[0]).toEqual({ title: "One", url: "https://one.test/", snippet: "An excerpt" });
    expect(found[1]?.title).toBe("https://two.test/");
    expect(found[2]?.title).toHaveLength(300);
    expect(found[2]?.snippet).toHaveLength(1_000);
    const url = new URL(requests[0]?.url ?? "");
    expect(url.pathname).toBe("/base/search");
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      q: "bees & flowers",
      format: "json",
      safesearch: "1",
    });
    expect(requests[0]?.headers.get("authorization")).toBe("Bearer secret");
  });
});

describe("Brave", () => {
  it("is asked in its words and bounds, and marks are taken out of excerpts", async () => {
    const results = [{ title: "One", url: "https://one.test/", description: "About <strong>bees</strong>" }];
    const { outbound, requests } = network(() => Response.json({ web: { results } }));
    const found = await makeBrave(account(outbound, "token")).find("word ".repeat(200), { count: 50, signal });
    expect(found).toEqual([{ title: "One", url: "https://one.test/", snippet: "About bees" }]);
    const url = new URL(requests[0]?.url ?? "");
    expect(url.pathname).toBe("/base/res/v1/web/search");
    expect(url.searchParams.get("count")).toBe("20");
    expect(url.searchParams.get("q")?.split(" ")).toHaveLength(50);
    expect(requests[0]?.headers.get("x-subscription-token")).toBe("token");
  });

  it("finds nothing where its answer has no web results", async () => {
    const { outbound } = network(() => Response.json({ type: "search" }));
    expect(await makeBrave(account(outbound, "token")).find("x", { count: 5, signal })).toEqual([]);
  });
});

describe("what is no answer", () => {
  it.each([
    ["unreachable", () => Promise.reject(new Error("lost"))],
    ["refused", () => new Response("no", { status: 429 })],
    ["refused", () => new Response(null, { status: 302, headers: { location: "https://elsewhere.test" } })],
    ["invalid", () => new Response("<html>")],
    ["invalid", () => Response.json({ results: {} })],
    ["invalid", () => Response.json(null)],
    ["invalid", () => new Response(`{"results": [], "x": "${"x".repeat(1_100_000)}"}`)],
  ] as const)("is an error: %s (%#)", async (fault, answer) => {
    const { outbound } = network(answer as () => Promise<Response>);
    const error = await makeSearxng(account(outbound))
      .find("x", { count: 5, signal })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SearchError);
    expect((error as SearchError).fault).toBe(fault);
  });
});

describe("the engine of a deployment", () => {
  const settingsOf = (change: Record<string, string>) => readSettings({ ...bindings, ...change });
  const { outbound } = network(() => Response.json({ results: [] }));

  it("is none unless one is configured, and the simulator in test mode alone", () => {
    const settings = settingsOf({});
    expect(settings.search).toBeNull();
    expect(searchEngineOf({ settings, outbound }, { isTest: false })).toBeNull();
    expect(searchEngineOf({ settings, outbound }, { isTest: true })).not.toBeNull();
    const without = settingsOf({ SANDBOX: "off" });
    expect(searchEngineOf({ settings: without, outbound }, { isTest: true })).toBeNull();
    const brave = settingsOf({ SEARCH_PROVIDER: "brave", SEARCH_KEY: "token" });
    expect(brave.search).toEqual({ provider: "brave", baseUrl: "https://api.search.brave.com", key: "token" });
    expect(searchEngineOf({ settings: brave, outbound }, { isTest: false })).not.toBeNull();
  });

  it.each([
    [{ SEARCH_PROVIDER: "altavista" }, "SEARCH_PROVIDER"],
    [{ SEARCH_KEY: "x" }, "SEARCH_PROVIDER"],
    [{ SEARCH_PROVIDER: "searxng" }, "SEARCH_BASE_URL: missing"],
    [{ SEARCH_PROVIDER: "searxng", SEARCH_BASE_URL: "nowhere" }, "SEARCH_BASE_URL: not"],
    [{ SEARCH_PROVIDER: "searxng", SEARCH_BASE_URL: "https://a:b@search.test" }, "SEARCH_BASE_URL: not"],
    [{ SEARCH_PROVIDER: "brave" }, "SEARCH_KEY: missing"],
  ])("is refused at the start where it could only fail (%o)", (change, words) => {
    expect(() => settingsOf(change)).toThrow(EnvironmentError);
    expect(() => settingsOf(change)).toThrow(words);
  });
});
