/** Reads what a provider heard, in any of its formats, and how much it counts that as. */
import type { TokenUsage } from "#adapters/llm/contract";
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import { faultOf } from "./attempt.ts";
import { readUsage } from "./operations.ts";
import { readText } from "./plain-answer.ts";
import { isPage } from "./serve-media.ts";
import type { Begin } from "./try-targets.ts";

/** The convention of the catalogue's prices. */
export const tokensPerSecond = 10;

export interface HeardUsage extends TokenUsage {
  seconds: number;
}

export interface Transcript {
  text: string;
  isJson: boolean;
  type: string;
  /** Null: the provider does not tell. */
  usage: HeardUsage | null;
}

export function usageOfSeconds(seconds: number, { estimated }: { estimated: boolean }): HeardUsage {
  const inputTokens = Math.ceil(seconds * tokensPerSecond);
  return { inputTokens, cachedInputTokens: 0, outputTokens: 0, seconds: Math.ceil(seconds), estimated };
}

/** @param isText the caller asked for a format that is no JSON */
export function readTranscript({ isText }: { isText: boolean }): Begin<Transcript> {
  return async (target, response) => {
    const invalid = { ok: false, fault: faultOf("invalid-answer", { status: response.status }) } as const;
    const text = await readText(response, target);
    const type = response.headers.get("content-type") ?? "text/plain; charset=utf-8";
    if (text === null || text.trim() === "" || isPage(text)) return invalid;
    if (isText && !/json/i.test(type))
      return { ok: true, begun: { text, type, isJson: false, usage: usageOfCues(text) } };
    const value = parse(text);
    if (!isObject(value) || typeof value["text"] !== "string" || isObject(value["error"])) return invalid;
    return { ok: true, begun: { text, type: "application/json", isJson: true, usage: usageOf(value) } };
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function usageOf({ usage, duration }: JsonObject): HeardUsage | null {
  const said = isObject(usage) ? usage : {};
  const seconds = said["type"] === "duration" ? said["seconds"] : duration;
  if (typeof seconds === "number" && seconds >= 0) return usageOfSeconds(seconds, { estimated: false });
  const read = readUsage(usage);
  if (!read) return null;
  const details = isObject(said["input_token_details"]) ? said["input_token_details"] : {};
  const audio = typeof details["audio_tokens"] === "number" ? details["audio_tokens"] : read.inputTokens;
  return { ...read, seconds: Math.ceil(audio / tokensPerSecond) };
}

/** Subtitles end when the last thing was said, which may be a little before the recording does. */
function usageOfCues(text: string): HeardUsage | null {
  const last = [...text.matchAll(/--> (?:(\d+):)?(\d\d):(\d\d)[.,](\d{3})/g)].at(-1);
  if (!last) return null;
  const [, hours = "0", minutes = "0", seconds = "0", thousandths = "0"] = last;
  const whole = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
  return usageOfSeconds(whole + Number(thousandths) / 1_000, { estimated: true });
}
