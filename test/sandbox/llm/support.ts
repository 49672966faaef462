/** The simulated models, called in this isolate: by the official SDK and by hand. */
import OpenAI from "openai";
import { answerSandbox } from "#sandbox/index";
import { splitTokens } from "#sandbox/llm/tokens";
import { bindings, systemContext } from "#test/support/harness";
import { readSettings } from "#core/env";

export const base = `${readSettings(bindings).publicUrl}/__sandbox/llm`;

/** As `fetch`, but to the sandbox and nowhere else. */
export async function sandboxFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const deliver = async () => new Response(null, { status: 404 });
  return answerSandbox({ ...systemContext(), deliver }, new Request(input as string, init as never) as never);
}

export function openai(apiKey = "sk-sandbox-test"): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${base}/v1`, fetch: sandboxFetch as never, maxRetries: 0 });
}

export interface Posted {
  status: number;
  headers: Headers;
  text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  body: any;
}

export interface PostOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export function postStream(path: string, body: unknown, { headers, signal }: PostOptions = {}): Promise<Response> {
  return sandboxFetch(`${base}/v1/${path}`, {
    method: "POST",
    headers: { authorization: "Bearer sk-sandbox-test", "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

export async function post(path: string, body: unknown, options: PostOptions = {}): Promise<Posted> {
  const response = await postStream(path, body, options);
  const text = await response.text();
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = null;
  }
  return { status: response.status, headers: response.headers, text, body: parsed };
}

/** What came through before the end or the break, piece by piece, and how it ended. */
export async function drain(response: Response): Promise<{ pieces: string[]; error: unknown }> {
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  try {
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>)
      pieces.push(decoder.decode(piece, { stream: true }));
    return { pieces, error: null };
  } catch (error) {
    return { pieces, error };
  }
}

export async function counters(model: string, user?: string) {
  const query = new URLSearchParams({ model, ...(user === undefined ? {} : { user }) });
  const response = await sandboxFetch(`${base}/counters?${query.toString()}`);
  return response.json<{ requests: number; finished: number; aborted: number; broken: number; tokens: number }>();
}

export const tokensOf = (text: string) => splitTokens(text).length;

export const hello = [{ role: "user" as const, content: "Good morning" }];

/** Everything that a stream or a list of pages gives. */
export async function collected<Item>(source: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of source) items.push(item);
  return items;
}
