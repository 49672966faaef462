/** The models that the sandbox lists. It answers for every other name, too: this list is for those who look first. */
import type { Call } from "./call.ts";
import type { Answer } from "./delivery.ts";
import { faultNames } from "./faults.ts";
import { createdAt } from "./usage.ts";

const ordinary = [
  "gpt-4o",
  "gpt-4o-mini",
  "gpt-3.5-turbo-instruct",
  "claude-sonnet-4-5",
  "text-embedding-3-small",
  "text-embedding-3-large",
  "whisper-1",
  "gpt-4o-transcribe",
  "tts-1",
  "gpt-image-1",
  "omni-moderation-latest",
];

const described = (id: string) => ({ id, object: "model", created: createdAt, owned_by: "sandbox" });

export function listModels(): Answer {
  return { kind: "json", body: { object: "list", data: [...ordinary, ...faultNames].map(described) }, tokens: 0 };
}

/** A fault in its name is no reason to misbehave here; a name that only looks like one was refused before. */
export function describeModel({ id }: Call): Answer {
  return { kind: "json", body: described(id), tokens: 0 };
}
