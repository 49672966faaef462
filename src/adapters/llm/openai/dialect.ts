/** OpenAI's API as its many speakers understand it: what goes out is what came in, with the model's name at the provider. */
import type { Target } from "../contract.ts";
import type { DialectRules, JsonObject } from "../wire.ts";

export const openAiDialect: DialectRules = {
  headersOf: ({ secret }) => ({ authorization: `Bearer ${secret}` }),
  pathOf: (operation) => operation.path,
  bodyOf: ({ name }, body, target) => (name === "chat" ? withLengthNamed(body, target) : body),
  answerOf: (_, answer) => answer,
  openTranslation: null,
};

/** Those whose references name `max_completion_tokens` beside the older `max_tokens`. */
const knowBoth = new Set(["openai", "groq", "openrouter", "sandbox"]);
/** OpenAI's models that reason, at whomever's: they refuse `max_tokens` (OpenAI's API reference, chat). */
const reasoning = /(?:^|\/)(?:o\d|gpt-[5-9])/;

/** The length of the answer under the name that is known there: servers of open models overlook the newer one, and the answer would have no end. */
function withLengthNamed(body: JsonObject, { provider, model }: Target): JsonObject {
  const { max_tokens: older, max_completion_tokens: newer, ...rest } = body;
  if (reasoning.test(model)) return older == null ? body : { ...rest, max_completion_tokens: newer ?? older };
  return newer == null || knowBoth.has(provider) ? body : { ...rest, max_tokens: newer };
}
