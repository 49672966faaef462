/** OpenAI's API as its many speakers understand it: what goes out is what came in, with the model's name at the provider. */
import type { DialectRules } from "../wire.ts";

export const openAiDialect: DialectRules = {
  headersOf: ({ secret }) => ({ authorization: `Bearer ${secret}` }),
  pathOf: (operation) => operation.path,
  bodyOf: (_, body) => body,
  answerOf: (_, answer) => answer,
  openTranslation: null,
};
