/** What goes into an operation and what comes out of it, before it is a `Response`. */

export interface RawInput {
  params: unknown;
  query: unknown;
  body: unknown;
  bodyText: string;
  request: Request;
}

export interface Answer {
  status: number;
  body: unknown;
  headers: Record<string, string>;
}
