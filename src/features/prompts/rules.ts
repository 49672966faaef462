/** What a level stands for, who may use which, and how a prompt becomes a chat completion. Decides from what it is given; reads nothing. */
import type { JsonObject } from "#adapters/llm/dialect";
import { Problem } from "#core/problem";
import type { PromptStyle } from "#features/staff/service";

/** From the least to the most. */
export const levels = ["low", "medium", "high", "ultra"] as const;
export type Level = (typeof levels)[number];

export const modelOfLevel = { low: "gpt-4o-mini", medium: "gpt-4o", high: "o3-mini", ultra: "gpt-5" } as const;
/** Asked where nobody who has the level's model answers. */
export const fallbackModel = modelOfLevel.low;

/** Models that reason take no sampling settings and count their thoughts into the limit (OpenAI's API reference, chat). */
const reasoningLevels: readonly Level[] = ["high", "ultra"];
const usualTemperature = 0.7;

export interface Allowed {
  styles: readonly string[];
  level: Level;
}

/** Throws `prompt-level-not-allowed` or `prompt-style-not-allowed`, naming what the person may use. */
export function requireAllowed(allowed: Allowed, asked: { level: Level; styles: readonly PromptStyle[] }): void {
  const most = levels.indexOf(allowed.level);
  if (levels.indexOf(asked.level) > most)
    throw new Problem("prompt-level-not-allowed", {
      detail: `The level ${asked.level} was asked for, and yours is ${allowed.level}.`,
      members: { allowed: levels.slice(0, most + 1) },
    });
  const refused = asked.styles.find((style) => !allowed.styles.includes(style));
  if (refused === undefined) return;
  throw new Problem("prompt-style-not-allowed", {
    detail: `The style ${refused} was asked for, and yours are: ${allowed.styles.join(", ") || "none"}.`,
    members: { allowed: allowed.styles },
  });
}

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface Tuning {
  temperature?: number | null | undefined;
  max_tokens?: number | null | undefined;
  top_p?: number | null | undefined;
  frequency_penalty?: number | null | undefined;
  presence_penalty?: number | null | undefined;
  stop?: string | string[] | null | undefined;
}

/** NUL is cut out, because providers refuse it or end the text there; nothing else is touched. */
export function clean(text: string): string {
  return text.replaceAll("\0", "");
}

/** The style's text comes first; the caller's own system messages stay where they are. */
export function styled(messages: readonly Message[], styleText: string | null): Message[] {
  const own = messages.map(({ role, content }) => ({ role, content: clean(content) }));
  return styleText === null ? own : [{ role: "system", content: styleText }, ...own];
}

/** The body of a chat completion, with only what was set. */
export function chatBodyOf(level: Level, messages: readonly Message[], tuning: Tuning): JsonObject & { model: string } {
  const { max_tokens, top_p, frequency_penalty, presence_penalty, stop } = tuning;
  const temperature = tuning.temperature ?? usualTemperature;
  const settings = reasoningLevels.includes(level)
    ? { max_completion_tokens: max_tokens }
    : { temperature, max_tokens, top_p, frequency_penalty, presence_penalty, stop };
  const set = Object.entries(settings).filter(([, value]) => value !== undefined && value !== null);
  return { model: modelOfLevel[level], messages: [...messages], ...Object.fromEntries(set) };
}
