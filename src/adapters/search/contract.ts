/** What research asks of a search engine, whichever it is. */

export interface Found {
  title: string;
  /** Named by a stranger: to be called through the tenants' guard only. */
  url: string;
  snippet: string;
}

export interface SearchEngine {
  /** At most `count` results with an http or https address, best first, with moderate filtering. Throws `SearchError`. */
  find(query: string, options: { count: number; signal: AbortSignal }): Promise<Found[]>;
}

/** `unreachable`: no answer in time. `refused`: another status than 200. `invalid`: no JSON of the expected shape, or too much of it. */
export class SearchError extends Error {
  readonly fault: "unreachable" | "refused" | "invalid";

  constructor(fault: SearchError["fault"], detail: string) {
    super(detail);
    this.name = "SearchError";
    this.fault = fault;
  }
}
