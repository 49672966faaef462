/** What goes into and comes out of a session store: plain values only, because they cross from one isolate to another. */
import type { InactiveReason, SessionKind } from "./rules.ts";

/** Tests move time with it; left out, the object's own clock counts. */
export interface At {
  nowMs?: number;
}

export interface OpenRequest extends At {
  sessionId: string;
  kind: SessionKind;
  ip: string;
  userAgent: string;
  /** Lifetime of the session token; required for `opaque`, refused for `access-refresh`. Slides unless there is a refresh token. */
  ttlSeconds?: number | null;
  /** Lifetime of each refresh token; required for `access-refresh`. */
  refreshTtlSeconds?: number | null;
  /** However much it is used, the session ends after this (30 days unless given). */
  absoluteTtlSeconds?: number;
  /** A random value that the device keeps; stored hashed, because it opens a locked sign-in. */
  deviceId?: string | null;
  /** A key of this session, encrypted by the caller; dropped when the session ends. */
  sealedApiKey?: string | null;
}

export interface Opened {
  expiresAtMs: number;
  tokenSecret: string | null;
  tokenExpiresAtMs: number | null;
  refreshSecret: string | null;
  refreshExpiresAtMs: number | null;
  /** Sessions that had to go because the user had too many. */
  endedSessionIds: string[];
  /** The device, or its address and program together, had a session before. */
  isRecognised: boolean;
}

export type SessionCheck =
  | {
      active: true;
      kind: SessionKind;
      createdAtMs: number;
      lastSeenAtMs: number;
      expiresAtMs: number;
    }
  | { active: false; reason: InactiveReason };

export type Refreshed =
  | {
      ok: true;
      /** false: the token had just been exchanged, and this is the same successor again. */
      rotated: boolean;
      refreshSecret: string;
      refreshExpiresAtMs: number;
      tokenSecret: string | null;
      tokenExpiresAtMs: number | null;
    }
  | { ok: false; reason: InactiveReason | "reused" };

export interface SessionSummary {
  sessionId: string;
  kind: SessionKind;
  createdAtMs: number;
  lastSeenAtMs: number;
  expiresAtMs: number;
  ip: string;
  userAgent: string;
  conversionCount: number;
}

export interface LockoutState {
  failures: number;
  lockedUntilMs: number | null;
}
