/** Which search engine research asks: `SEARCH_PROVIDER`, `SEARCH_BASE_URL`, `SEARCH_KEY`. Refuses what could only fail at the first search. */

export const searchProviders = ["searxng", "brave"] as const;

export interface SearchSetting {
  provider: (typeof searchProviders)[number];
  /** Without a slash at the end. */
  baseUrl: string;
  key: string | null;
}

/** Brave has one address for everybody; a SearXNG is the deployer's own. */
const addresses = { brave: "https://api.search.brave.com", searxng: null } as const;

type Values = Readonly<Record<string, unknown>>;

/** Null: nothing is configured. `fault` is told of each variable that is wrong, never its value. */
export function readSearch(env: Values, fault: (words: string) => void): SearchSetting | null {
  const [name, address, key] = [env["SEARCH_PROVIDER"], env["SEARCH_BASE_URL"], env["SEARCH_KEY"]].map(textOf) as [
    string,
    string,
    string,
  ];
  if (!name && !address && !key) return null;
  const provider = searchProviders.find((known) => known === name);
  if (!provider) {
    fault(`SEARCH_PROVIDER: not one of ${searchProviders.join(", ")}`);
    return null;
  }
  const baseUrl = address ? addressOf(address) : addresses[provider];
  const words = faultOf({ provider, address, baseUrl, key }, { isProduction: env["ENVIRONMENT"] === "production" });
  if (words !== null) fault(words);
  return baseUrl === null ? null : { provider, baseUrl, key: key || null };
}

interface Given {
  provider: SearchSetting["provider"];
  address: string;
  baseUrl: string | null;
  key: string;
}

function faultOf(
  { provider, address, baseUrl, key }: Given,
  { isProduction }: { isProduction: boolean },
): string | null {
  if (baseUrl === null) return `SEARCH_BASE_URL: ${address ? "not an absolute http or https URL" : "missing"}`;
  if (provider === "brave" && !key) return "SEARCH_KEY: missing";
  const isOpen = key !== "" && isProduction && baseUrl.startsWith("http:");
  return isOpen ? "SEARCH_BASE_URL: a key may travel by https only" : null;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.trim() : "";
}

function addressOf(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return null;
  return url.search === "" && url.hash === "" ? url.href.replace(/\/+$/, "") : null;
}
