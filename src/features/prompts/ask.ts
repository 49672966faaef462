/** A question of our own to a model, through the same gateway as everybody's: the workspace's budgets and allow-lists hold for it, too. */
import { isObject } from "#adapters/llm/dialect";
import type { JsonObject } from "#adapters/llm/dialect";
import type { WorkspaceCtx } from "#core/context";
import { operations, type PromptFacts, serveModel } from "#features/chat/service";
import { fallbackModel } from "./rules.ts";

export interface Question {
  body: JsonObject & { model: string };
  signal: AbortSignal;
  /** A question that is put again under the same name is charged once. */
  reservationId?: string | undefined;
  prompt?: PromptFacts;
}

export interface Said {
  text: string;
  tokens: number;
}

/** Throws the problem that the gateway answers with. */
export async function ask(ctx: WorkspaceCtx, { body, signal, reservationId, prompt }: Question): Promise<Said> {
  const response = await serveModel(ctx, {
    operation: operations.chat,
    body,
    request: new Request(ctx.settings.publicUrl, { signal }),
    fallbackModel,
    ...(reservationId === undefined ? {} : { reservationId }),
    ...(prompt ? { prompt } : {}),
  });
  return saidIn(await response.json());
}

function saidIn(answer: unknown): Said {
  const { choices, _usage_info: usage } = isObject(answer) ? answer : {};
  const first: unknown = Array.isArray(choices) ? choices[0] : null;
  const message = isObject(first) ? first["message"] : null;
  const text = isObject(message) && typeof message["content"] === "string" ? message["content"] : "";
  const tokens = isObject(usage) ? Number(usage["tokens_used"]) : 0;
  return { text, tokens: Number.isSafeInteger(tokens) ? tokens : 0 };
}
