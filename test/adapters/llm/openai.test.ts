import { describe, expect, it } from "vitest";
import { unknownFacts } from "#adapters/llm/catalogue";
import type { Target } from "#adapters/llm/contract";
import { dialectOf, type JsonObject } from "#adapters/llm/dialect";

const chat = { name: "chat", path: "/chat/completions" };

function sent(body: JsonObject, { provider, model }: Pick<Target, "provider" | "model">): JsonObject {
  const target = { provider, model, dialect: "openai", facts: unknownFacts(model) } as Target;
  return dialectOf(target, chat).bodyOf(chat, { model, ...body }, target);
}

describe("the length of an answer", () => {
  it.each([
    ["openai", "gpt-4o-mini", { max_tokens: 7 }, { max_tokens: 7 }],
    ["openai", "gpt-4o-mini", { max_completion_tokens: 7 }, { max_completion_tokens: 7 }],
    ["openai", "o3-mini", { max_tokens: 7 }, { max_completion_tokens: 7 }],
    ["openrouter", "openai/gpt-5-mini", { max_tokens: 7 }, { max_completion_tokens: 7 }],
    ["a4f", "provider-1/gpt-5", { max_completion_tokens: 7 }, { max_completion_tokens: 7 }],
    ["ollama", "llama3.2", { max_completion_tokens: 7 }, { max_tokens: 7 }],
    ["workers-ai", "@cf/meta/llama-3.3-70b-instruct-fp8-fast", { max_completion_tokens: 7 }, { max_tokens: 7 }],
    ["wapi", "gpt-4o", { max_tokens: 7 }, { max_tokens: 7 }],
    ["ollama", "gpt-oss:20b", { max_completion_tokens: null }, { max_completion_tokens: null }],
  ])("goes to %s's %s under the name that is known there", (provider, model, asked, expected) => {
    expect(sent(asked, { provider, model })).toEqual({ model, ...expected });
  });
});
