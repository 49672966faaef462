/** How long each phase of a model call may take. A caller may shorten any of them for one request; nobody may make them longer. */
import { Problem } from "#core/problem";

export interface Patience {
  /** Until the provider's headers. A whole answer takes as long as the model thinks; a stream begins at once. */
  firstByteMs: number;
  /** Between two reads of a stream. */
  idleMs: number;
  /** From the first call, tries and pauses included. */
  totalMs: number;
}

const usual = {
  plain: { firstByteMs: 180_000, idleMs: 60_000, totalMs: 300_000 },
  stream: { firstByteMs: 60_000, idleMs: 60_000, totalMs: 900_000 },
} as const satisfies Record<string, Patience>;

const headers = {
  firstByteMs: "x-overtone-first-byte-timeout-ms",
  idleMs: "x-overtone-idle-timeout-ms",
  totalMs: "x-overtone-timeout-ms",
} as const;

/** Throws `validation-failed` for a header that is no whole number from 1. */
export function readPatience(request: Request, { isStream }: { isStream: boolean }): Patience {
  const most = isStream ? usual.stream : usual.plain;
  const of = (phase: keyof Patience): number => {
    const text = request.headers.get(headers[phase]);
    if (text === null) return most[phase];
    if (!/^[1-9]\d{0,8}$/.test(text))
      throw new Problem("validation-failed", { detail: `${headers[phase]} is a whole number of milliseconds.` });
    return Math.min(Number(text), most[phase]);
  };
  return { firstByteMs: of("firstByteMs"), idleMs: of("idleMs"), totalMs: of("totalMs") };
}
