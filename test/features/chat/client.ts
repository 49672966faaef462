/** OpenAI's own client against the Worker, whose providers are the simulator under names of real ones. */
import OpenAI from "openai";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import type { Bindings } from "#core/env";
import { bindings, type Person } from "#test/support/harness";
import worker from "../../../src/index.ts";

const upstream = "http://127.0.0.1:8787/__sandbox/llm/v1";

export const configured = {
  ...bindings,
  PROVIDER_OPENAI_BASE_URL: upstream,
  PROVIDER_OPENAI_KEY: "sk-live",
  PROVIDER_OPENROUTER_BASE_URL: upstream,
  PROVIDER_OPENROUTER_KEY: "sk-live",
  PROVIDER_ANTHROPIC_BASE_URL: upstream,
  PROVIDER_ANTHROPIC_KEY: "sk-live",
  "PROVIDER_WORKERS-AI_BASE_URL": upstream,
  "PROVIDER_WORKERS-AI_KEY": "sk-live",
} as Bindings;

export interface Client {
  api: OpenAI;
  /** What runs after the answers, the settlement among it. */
  settled(): Promise<void>;
}

export function clientOf(credential: string, env: Bindings = configured): Client {
  const executions: ExecutionContext[] = [];
  const api = new OpenAI({
    apiKey: credential,
    baseURL: "http://127.0.0.1:8787/v1",
    maxRetries: 0,
    dangerouslyAllowBrowser: true,
    fetch: async (input, init) => {
      const execution = createExecutionContext();
      executions.push(execution);
      return worker.fetch((await asSent(new Request(input as string, init as RequestInit))) as never, env, execution);
    },
  });
  return {
    api,
    async settled() {
      for (const execution of executions.splice(0)) await waitOnExecutionContext(execution);
    },
  };
}

/** On the network a form says how long it is. */
async function asSent(request: Request): Promise<Request> {
  if (!request.headers.get("content-type")?.startsWith("multipart/")) return request;
  const body = await request.arrayBuffer();
  const headers = new Headers(request.headers);
  headers.set("content-length", String(body.byteLength));
  return new Request(request.url, { method: request.method, headers, body });
}

export async function used(person: Person, resource: "aiTokens" | "transcription" | "money"): Promise<number> {
  const { body } = await person.call("GET", "/v1/usage");
  return body.usage[resource];
}
