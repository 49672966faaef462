/** The responses that can be asked for again: in the isolate's memory, the newest few of them, each for the key that made it. */
import { BoundedMap } from "#lib/bounded-map";
import { LlmFailure } from "./failure.ts";
import type { Fields } from "./fields.ts";

const maxResponses = 200;
/** A longer one is answered but not kept. */
const maxTextLength = 65_536;

export interface StoredResponse {
  response: Fields;
  /** What was given to it, each with an id. */
  inputItems: Fields[];
}

const stored = new BoundedMap<string, string>(maxResponses);

const keyOf = (owner: string, id: string) => `${owner} ${id}`;

export function keepResponse(owner: string, kept: StoredResponse): void {
  const text = JSON.stringify(kept);
  if (text.length <= maxTextLength) stored.set(keyOf(owner, String(kept.response["id"])), text);
}

/** Throws as OpenAI does for one that is not there (any more). */
export function findResponse(owner: string, id: string, param: string | null = null): StoredResponse {
  const text = stored.get(keyOf(owner, id));
  if (text !== undefined) return JSON.parse(text) as StoredResponse;
  const code = param === null ? null : "previous_response_not_found";
  throw new LlmFailure(param === null ? 404 : 400, `Response with id '${id.slice(0, 100)}' not found.`, {
    param,
    code,
  });
}

export function dropResponse(owner: string, id: string): void {
  findResponse(owner, id);
  stored.delete(keyOf(owner, id));
}
