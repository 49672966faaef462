/** What a kept stream is, in numbers and states. */

/**
 * `running`: more may come. `ended`: all of it is here, the error event of one that broke among it. `lost`: who read it from the provider fell silent.
 * `too-long`: nothing of it is kept any more.
 */
export type StreamState = "running" | "ended" | "lost" | "too-long";

/** Of the text with its ids, as callers are sent it. */
export const maxStreamBytes = 1_048_576;
/** After the end. */
export const keptMs = 300_000;
/** Who reads from the provider says at least every ten seconds that it is still there. */
export const heartbeatMs = 10_000;
export const lostAfterMs = 30_000;
/** As long as the stream itself may go on, and the usual time after it: nothing is kept for it but this word. */
export const tooLongKeptMs = 1_200_000;

export function isLost(state: StreamState, { heardAtMs, nowMs }: { heardAtMs: number; nowMs: number }): boolean {
  return state === "running" && nowMs - heardAtMs > lostAfterMs;
}

export function erasedAtMs(state: StreamState, heardAtMs: number): number {
  return heardAtMs + (state === "too-long" ? tooLongKeptMs : keptMs);
}
