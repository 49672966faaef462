/** What a company's way of speaking comes to: how a request in OpenAI's form leaves, and how what comes back becomes OpenAI's form again. */
import type { StreamEvent } from "#lib/event-stream";
import type { Target } from "./contract.ts";

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As much of a model operation as a dialect needs to know. */
export interface Asked {
  name: string;
  /** Behind the base URL, in OpenAI's API. */
  path: string;
}

/** Makes events of OpenAI's form out of the company's. One for each stream: it remembers what came before. */
export interface Translation {
  read(event: StreamEvent): JsonObject[];
  /** The stream is over; `isDone`: by its own word (`[DONE]`). */
  end(how: { isDone: boolean }): JsonObject[];
}

export interface DialectRules {
  headersOf(target: Target): Record<string, string>;
  pathOf(asked: Asked): string;
  /** Throws `model-request-refused` for what the company cannot be asked. */
  bodyOf(asked: Asked, body: JsonObject, target: Target): JsonObject;
  answerOf(asked: Asked, answer: JsonObject, about: { nowMs: number }): JsonObject;
  /** Null: its events are of OpenAI's form. */
  openTranslation: ((asked: Asked, about: { nowMs: number }) => Translation) | null;
}
