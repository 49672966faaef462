/** What has to come of a call, judged by what the provider did: how it ends, how often the provider is asked, what it costs. docs/models.md */
import type { Asking } from "./books.ts";
import { promptOf, type Outcome } from "./calls.ts";
import type { Act, Task, Usage } from "./tasks.ts";
import { secondsOf, toldUsage } from "./wire.ts";

/** US dollars for a million tokens, as OpenAI's price list prints them: input, cached input, output. */
const prices: Readonly<Record<string, readonly [number, number, number]>> = {
  "gpt-4o-mini": [0.15, 0.075, 0.6],
  "gpt-4.1-nano": [0.1, 0.025, 0.4],
  "gpt-4o": [2.5, 1.25, 10],
  "gpt-3.5-turbo": [1.5, 1.5, 2],
  "text-embedding-3-small": [0.02, 0.02, 0],
  "whisper-1": [10, 10, 0],
  "tts-1": [60, 60, 0],
  "gpt-image-1-mini": [2.5, 0.25, 8],
  "omni-moderation-latest": [0, 0, 0],
};

/** In micro-USD, rounded up: a price in dollars for a million is one in micro-USD for one. */
export function moneyOf(base: string, { input, cached, output }: Usage): number {
  const [full, less, out] = prices[base] ?? [Number.NaN, 0, 0];
  const thousandths = (price: number) => Math.round(price * 1_000);
  const sum = (input - cached) * thousandths(full) + cached * thousandths(less) + output * thousandths(out);
  return Math.ceil(sum / 1_000);
}

/** Four characters of a text are a token of speech, ten tokens a second of a recording. */
export function soldAs(task: Task): Usage | null {
  if (task.kind === "speech") return { input: Math.ceil(promptOf(task.id).length / 4), cached: 0, output: 0 };
  const told = toldUsage(task);
  return told && task.kind === "transcription" ? { input: secondsOf(task) * 10, cached: 0, output: 0 } : told;
}

type Trouble =
  | "unreachable"
  | "timeout"
  | "rate-limited"
  | "overloaded"
  | "credentials"
  | "refused"
  | "invalid"
  | "gone-by"
  | "broken";

const startTroubles: Partial<Record<Act["fault"], Trouble>> = {
  "rate-limited": "rate-limited",
  error: "overloaded",
  unavailable: "overloaded",
  credentials: "credentials",
  refused: "refused",
  "no-headers": "timeout",
  drop: "unreachable",
  empty: "invalid",
  page: "invalid",
  "other-type": "invalid",
};

/** `broken`: after the caller has seen something; `gone-by`: the time of the whole call runs out. */
function troubleOf(task: Task, { fault, after }: Act): Trouble {
  const known = startTroubles[fault];
  if (known) return known;
  const isPassedOn = task.isStream || task.kind === "speech";
  if (isPassedOn && after > 0) return "broken";
  if (fault !== "silence") return "invalid";
  return task.isStream ? "timeout" : "gone-by";
}

const mostRounds = 3;
export const mostAskings = mostRounds;
const worthAnother: ReadonlySet<Trouble> = new Set(["unreachable", "rate-limited", "overloaded", "invalid"]);

export interface Course {
  end: "whole" | "broken" | "BadRequestError" | "RateLimitError" | "InternalServerError";
  askings: number;
}

/** How a call goes whose caller stays. Null: more than one course is right. */
export function courseOf(task: Task): Course | null {
  const { acts, hasFallback } = task;
  // A provider that is left alone for a second is passed over as long as there is another one.
  if (hasFallback && acts.some(({ fault }) => fault === "rate-limited")) return null;
  let askings = 0;
  for (let round = 1; ; round += 1) {
    const troubles: Trouble[] = [];
    for (let provider = 0; provider < (hasFallback ? 2 : 1); provider += 1) {
      const act = acts[askings];
      askings += 1;
      if (!act) return { end: "whole", askings };
      const trouble = troubleOf(task, act);
      if (trouble === "broken") return { end: "broken", askings };
      if (trouble === "refused") return { end: "BadRequestError", askings };
      if (trouble === "gone-by") return null;
      troubles.push(trouble);
    }
    if (round < mostRounds && troubles.some((trouble) => worthAnother.has(trouble))) continue;
    const isLimited = troubles.every((trouble) => trouble === "rate-limited");
    return { end: isLimited ? "RateLimitError" : "InternalServerError", askings };
  }
}

export interface Cost {
  /** Any of these is right; null: it was not told, or not read, and is estimated. Empty: nothing may be charged. */
  exact: Usage[];
  mayBeEstimated: boolean;
  mayBeNothing: boolean;
}

interface Ended {
  task: Task;
  outcome: Outcome;
}

/** What ends so shortly before nobody is followed any more may be read or not. */
const marginMs = 1_500;
const nothing: Cost = { exact: [], mayBeEstimated: false, mayBeNothing: true };

export function costOf({ task, outcome }: Ended, askings: readonly Asking[], drainMs: number): Cost {
  const sold = soldAs(task);
  const exact = sold ? [sold] : [];
  if (outcome.end === "whole") return { exact, mayBeEstimated: sold === null, mayBeNothing: false };
  const last = askings.at(-1);
  if (!last) return nothing;
  if (outcome.end === "left") {
    const isFollowed = last.endedAtMs - outcome.leftAtMs < drainMs - marginMs;
    return costOfLeft(task, { last, exact, isFollowed });
  }
  // Half a sound costs nothing, nor does any other answer of which nobody saw anything.
  if (!task.isStream || outcome.text === "") return nothing;
  return { exact: last.usage ? exact : [], mayBeEstimated: true, mayBeNothing: false };
}

/** Who leaves pays for what the provider delivered; an answer that nobody saw any of costs nothing. */
function costOfLeft(task: Task, about: { last: Asking; exact: Usage[]; isFollowed: boolean }): Cost {
  const { last, exact, isFollowed } = about;
  const isPassedOn = task.isStream || task.kind === "speech";
  const isRead = last.act === null && last.end === "whole" && !last.hungUp && isFollowed;
  if (task.isStream && isRead) return { exact, mayBeEstimated: exact.length === 0, mayBeNothing: false };
  // Before its first sound has been passed on, the call ends with its caller.
  if (task.kind === "speech")
    return { exact, mayBeEstimated: false, mayBeNothing: task.leaves?.at === "start" || !isRead };
  const wasSent = last.sent > 0;
  return {
    exact: wasSent ? exact : [],
    mayBeEstimated: isPassedOn ? wasSent : wasSent && exact.length === 0,
    mayBeNothing: !isPassedOn || last.act !== null || !wasSent,
  };
}
