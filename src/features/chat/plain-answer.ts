/** Reads a provider's whole answer: what is empty, cut or no JSON object is no answer, and somebody else is asked. */
import type { Target, TokenUsage } from "#adapters/llm/contract";
import { dialectOf } from "#adapters/llm/dialect";
import { faultOf } from "./attempt.ts";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { type Operation, readUsage } from "./operations.ts";
import type { Begin } from "./try-targets.ts";

/** Vectors of 2,048 inputs, or pictures. */
const maxAnswerBytes = 64 * 1024 * 1024;

export interface PlainAnswer {
  /** As it came where the provider speaks OpenAI's language. */
  text: string;
  usage: TokenUsage | null;
  /** Characters, for a provider that does not tell the use. */
  textLength: number;
}

export function readPlain(operation: Operation, { now }: { now(): number }): Begin<PlainAnswer> {
  return async (target, response) => {
    const invalid = { ok: false, fault: faultOf("invalid-answer", { status: response.status }) } as const;
    const text = await readText(response, target);
    const value = text === null ? null : parse(text);
    if (text === null || !isObject(value) || isObject(value["error"])) return invalid;
    const dialect = dialectOf(target, operation);
    const answer = dialect.answerOf(operation, value, { nowMs: now() });
    if (!hasAnswer(operation, answer)) return invalid;
    const usage = readUsage(answer["usage"]);
    const begun = {
      text: answer === value ? text : JSON.stringify(answer),
      usage,
      textLength: usage ? 0 : JSON.stringify(answer["choices"] ?? answer["output"] ?? "").length,
    };
    return { ok: true, begun };
  };
}

function hasAnswer({ name }: Operation, answer: JsonObject): boolean {
  const member =
    name === "chat" || name === "completions"
      ? answer["choices"]
      : (answer["data"] ?? answer["output"] ?? answer["results"]);
  return Array.isArray(member) && member.every(isObject) && (member.length > 0 || name === "responses");
}

/**
 * In one go where the length is stated or the operator chose the provider: reading piece by piece costs more than all that follows. What a
 * tenant's own address sends is counted as it comes.
 */
export async function readText(response: Response, { isTenantUrl }: Target): Promise<string | null> {
  const lengthBytes = Number(response.headers.get("content-length") ?? 0);
  if (lengthBytes > maxAnswerBytes) return null;
  if (!isTenantUrl || lengthBytes > 0) return response.text().catch(() => null);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > maxAnswerBytes) return null;
      parts.push(part);
    }
  } catch {
    return null;
  }
  return new TextDecoder().decode(parts.length === 1 ? parts[0] : Buffer.concat(parts));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
