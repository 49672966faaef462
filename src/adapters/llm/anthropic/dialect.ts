/** Anthropic's own API, asked for chat completions. */
import type { DialectRules } from "../wire.ts";
import { chatAnswer, openChatTranslation } from "./answer.ts";
import { messagesBody, refuse } from "./request.ts";

export const anthropicDialect: DialectRules = {
  headersOf: ({ secret }) => ({ "x-api-key": secret, "anthropic-version": "2023-06-01" }),
  pathOf: () => "/messages",
  bodyOf({ name }, body, target) {
    if (name !== "chat") throw refuse("model", "This model answers chat completions only.");
    return messagesBody(body, target);
  },
  answerOf: (_, answer, about) => chatAnswer(answer, about),
  openTranslation: (_, about) => openChatTranslation(about),
};
