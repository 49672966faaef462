/** The client's exception for each way in which a request is refused. None of them costs anything. */
import OpenAI, {
  APIConnectionError,
  APIConnectionTimeoutError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from "openai";
import type { Books } from "./books.ts";
import { promptOf } from "./calls.ts";
import { clientOf, type Company, makeKey, send } from "./company.ts";
import type { Chance } from "../random.ts";
import type { Stage } from "../stage.ts";
import { type Act, planHealthy } from "./tasks.ts";

interface Scene {
  stage: Stage;
  books: Books;
  chance: Chance;
  newId(): number;
}

// oxlint-disable-next-line typescript/no-explicit-any -- exceptions take what they like
type Exception = new (...args: any[]) => Error;

export async function verifyRefusals(scene: Scene, company: Company): Promise<string[]> {
  const { stage, books, chance } = scene;
  const client = clientOf(stage, company.key);
  const messages = [{ role: "user" as const, content: "Say hello." }];
  const chat = (by: OpenAI, model = "gpt-4o-mini") => by.chat.completions.create({ model, messages });
  /** A call that reaches the provider, which does this each time. */
  const met = (fault: Act["fault"], options: { timeout?: number } = {}) => {
    const id = scene.newId();
    const task = planHealthy(chance, { id, base: "gpt-4o-mini", isStream: false });
    books.expect({ ...task, acts: Array.from({ length: 3 }, () => ({ fault, after: 0 })) });
    const headers = fault === "no-headers" ? { "x-overtone-first-byte-timeout-ms": "1000" } : {};
    const body = { model: task.model, messages: [{ role: "user" as const, content: promptOf(id) }] };
    return client.chat.completions.create(body, { headers, maxRetries: 0, ...options });
  };
  const cases: [what: string, kind: Exception, ask: () => Promise<unknown>][] = [
    ["a key that is none", AuthenticationError, () => chat(clientOf(stage, "ovt_live_nothing"))],
    ["a revoked key", AuthenticationError, async () => chat(clientOf(stage, await revokedKey(stage, company)))],
    [
      "a key for other things",
      PermissionDeniedError,
      async () => chat(clientOf(stage, await narrowKey(stage, company))),
    ],
    ["a model that nobody has", NotFoundError, () => chat(client, "no-such-model")],
    ["a model of another kind", BadRequestError, () => chat(client, "text-embedding-3-small")],
    [
      "a body without messages",
      BadRequestError,
      () => client.chat.completions.create({ model: "gpt-4o", messages: [] }),
    ],
    ["a response that nobody kept", NotFoundError, () => client.responses.retrieve("resp_nothing")],
    ["what a provider refuses", BadRequestError, () => met("refused")],
    ["a provider that has enough", RateLimitError, () => met("rate-limited")],
    ["a provider that is down", InternalServerError, () => met("unavailable")],
    ["a provider that says nothing", InternalServerError, () => met("no-headers")],
    ["a caller without patience", APIConnectionTimeoutError, () => met("no-headers", { timeout: 300 })],
    [
      "nobody at the address",
      APIConnectionError,
      () => chat(new OpenAI({ apiKey: "none", baseURL: "http://127.0.0.1:9/v1", maxRetries: 0 })),
    ],
  ];
  const violations = await Promise.all(
    cases.map(async ([what, kind, ask]) => {
      const seen = await ask().then(
        () => "an answer",
        (error: Error) => error,
      );
      if (seen instanceof Error && seen.constructor === kind) return [];
      return [
        `class: ${what} is told as ${seen instanceof Error ? `${seen.constructor.name} (${seen.message.slice(0, 200)})` : seen}, not ${kind.name}`,
      ];
    }),
  );
  return violations.flat();
}

async function revokedKey(stage: Stage, company: Company): Promise<string> {
  const made = await send<{ id: string; key: string }>(stage, company, {
    method: "POST",
    path: "/v1/api-keys",
    body: { name: "revoked" },
  });
  await send(stage, company, { method: "DELETE", path: `/v1/api-keys/${made.id}` });
  return made.key;
}

function narrowKey(stage: Stage, company: Company): Promise<string> {
  return makeKey(stage, company, { scopes: ["usage:read"] });
}
