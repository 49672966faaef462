/** The dialects that are spoken. */
import { anthropicDialect } from "./anthropic/dialect.ts";
import type { Dialect, Target } from "./contract.ts";
import { openAiDialect } from "./openai/dialect.ts";
import { openResponseTranslation, responseOf } from "./responses/answer.ts";
import { chatBodyOf } from "./responses/request.ts";
import type { Asked, DialectRules, JsonObject, Translation } from "./wire.ts";

export { isObject, type JsonObject, type Translation } from "./wire.ts";

const rules: Readonly<Record<Dialect, DialectRules>> = { openai: openAiDialect, anthropic: anthropicDialect };
const chat: Asked = { name: "chat", path: "/chat/completions" };

/** How this target is asked: one that knows no responses is asked for a chat completion instead. */
export function dialectOf(target: Pick<Target, "dialect" | "facts">, asked: Asked): DialectRules {
  const spoken = rules[target.dialect];
  const knows = target.dialect === "openai" && target.facts.capabilities.includes("responses");
  return asked.name === "responses" && !knows ? byChat(spoken) : spoken;
}

function byChat(spoken: DialectRules): DialectRules {
  return {
    headersOf: spoken.headersOf,
    pathOf: () => spoken.pathOf(chat),
    bodyOf: (_, body, target) => spoken.bodyOf(chat, chatBodyOf(body), target),
    answerOf: (_, answer, about) => responseOf(spoken.answerOf(chat, answer, about)),
    openTranslation: (_, about) => chained(spoken.openTranslation?.(chat, about) ?? null, openResponseTranslation()),
  };
}

function chained(first: Translation | null, second: Translation): Translation {
  const on = (events: JsonObject[]) => events.flatMap((data) => second.read({ name: null, data }));
  return {
    read: (event) => (first ? on(first.read(event)) : second.read(event)),
    end: (how) => [...on(first?.end(how) ?? []), ...second.end(how)],
  };
}
