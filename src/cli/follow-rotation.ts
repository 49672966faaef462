/** Watches a deployment's status page while it wraps its keys by a new master key. Sends no secret and changes nothing. */

/** The outside world, handed in so that a test can play it. */
export interface Watch {
  fetch(url: string, init: { signal: AbortSignal }): Promise<Response>;
  wait(ms: number): Promise<unknown>;
  now(): number;
  print(line: string): void;
}

export interface Rotation {
  publicUrl: string;
  /** The version that is to be current. */
  version: number;
  /** Local servers only: starts the hourly tick instead of waiting for it. */
  startsTick: boolean;
  everyMs: number;
  /** Without any news for this long, it gives up. */
  patienceMs: number;
}

export type RotationEnd = "done" | "no-answer" | "not-arrived" | "stale-keys-left";

interface Encryption {
  currentVersion: number;
  staleKeys: number;
}

const requestMs = 10_000;
const tickEveryMs = 15_000;
/** The hourly cron of wrangler.toml. */
const hourlyTick = "/cdn-cgi/local/scheduled?cron=17+*+*+*+*";

/** Whether anything that calls itself healthy answers there. */
export async function isRunning(watch: Watch, publicUrl: string): Promise<boolean> {
  try {
    const response = await watch.fetch(`${publicUrl}/health`, { signal: AbortSignal.timeout(requestMs) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Polls until every key is wrapped by the given version, or nothing new is seen for `patienceMs`. */
export async function followRotation(watch: Watch, rotation: Rotation): Promise<RotationEnd> {
  let seen = "";
  let newsAt = watch.now();
  let tickedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const state = await readEncryption(watch, rotation.publicUrl);
    const end = judge(state, rotation.version);
    const line = describe(end, state);
    if (line !== seen) {
      watch.print(line);
      seen = line;
      newsAt = watch.now();
    }
    if (end === "done" || watch.now() - newsAt >= rotation.patienceMs) return end;
    if (end === "stale-keys-left" && rotation.startsTick && watch.now() - tickedAt >= tickEveryMs) {
      tickedAt = watch.now();
      await startTick(watch, rotation.publicUrl);
    }
    await watch.wait(rotation.everyMs);
  }
}

function judge(state: Encryption | null, version: number): RotationEnd {
  if (state === null) return "no-answer";
  if (state.currentVersion !== version) return "not-arrived";
  return state.staleKeys === 0 ? "done" : "stale-keys-left";
}

function describe(end: RotationEnd, state: Encryption | null): string {
  if (end === "no-answer") return "Waiting for the server to answer.";
  if (end === "not-arrived")
    return `The server still runs with version ${state?.currentVersion}; waiting for it to load the new one.`;
  return end === "done"
    ? "Every key is wrapped by the new master key."
    : `${state?.staleKeys} keys to wrap by the new master key.`;
}

async function readEncryption(watch: Watch, publicUrl: string): Promise<Encryption | null> {
  try {
    const response = await watch.fetch(`${publicUrl}/v1/status`, { signal: AbortSignal.timeout(requestMs) });
    const { encryption } = (await response.json()) as { encryption?: Partial<Encryption> };
    const { currentVersion, staleKeys } = encryption ?? {};
    return typeof currentVersion === "number" && typeof staleKeys === "number" ? { currentVersion, staleKeys } : null;
  } catch {
    return null;
  }
}

/** A tick that fails is started again later: what it starts is found by the status page, not by its answer. */
async function startTick(watch: Watch, publicUrl: string): Promise<void> {
  try {
    const response = await watch.fetch(`${publicUrl}${hourlyTick}`, { signal: AbortSignal.timeout(requestMs) });
    await response.body?.cancel();
  } catch {
    watch.print("The server did not take the tick; trying again.");
  }
}
