/** The words of the message log, which the gateway, the queue and whoever reads it share: how much is kept, and what an entry is. */

/** From nothing to everything. `metadata`: who asked what model when, and what it came to; `contents`: what was said, too. */
export const logLevels = ["off", "metadata", "contents"] as const;
export type LogLevel = (typeof logLevels)[number];

export function readLogLevel(value: unknown): LogLevel | null {
  return logLevels.find((level) => level === value) ?? null;
}

/** What the member `messageLog` of a workspace's settings stands for. */
export function workspaceLogLevel(setting: unknown): LogLevel {
  return readLogLevel(setting) ?? "metadata";
}

/** The deployer, the workspace and the request each say how much at most. */
export function leastLevel(...levels: readonly [LogLevel, ...LogLevel[]]): LogLevel {
  return levels.reduce((least, level) => (logLevels.indexOf(level) < logLevels.indexOf(least) ? level : least));
}

/** `cut`: a stream that broke off after its first token. `cancelled`: the caller left before the end. */
export const requestStatuses = ["succeeded", "failed", "cut", "cancelled"] as const;
export type RequestStatus = (typeof requestStatuses)[number];

/** One model request as it travels from the isolate that served it to the database. Times are milliseconds. */
export interface MessageEntry {
  /** Says when it was made, and keeps an entry that is delivered twice from being written twice. */
  id: string;
  workspaceId: string;
  userId: string;
  /** Null: a session asked. */
  keyId: string | null;
  mode: "live" | "test";
  operation: string;
  model: string;
  /** Empty: nobody answered. */
  provider: string;
  status: RequestStatus;
  /** Null: the caller had left before there was one. */
  httpStatus: number | null;
  errorCode: string | null;
  isStream: boolean;
  /** Answered from the cache. */
  isCached: boolean;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  isEstimated: boolean;
  costMicroUsd: number;
  durationMs: number;
  promptStyle: string | null;
  isResearched: boolean;
  requestId: string;
  address: string | null;
  /** JSON `{request, response, isCut}`, redacted and cut; `{}` where contents are not kept. */
  messages: string;
  /** When it was over. */
  at: number;
}
