/** What every function of a feature is handed: who asks, for which workspace, and the only ways to reach time, chance and storage. */
import type { DrizzleD1Database } from "drizzle-orm/d1";
import type { Permission, Staff, WorkspaceRole } from "./access.ts";
import type { Bindings, Settings } from "./env.ts";
import type { IdKind } from "./ids.ts";
import type { KeyBudget, Limit, OpenLimitName } from "./limits.ts";
import type { Log } from "./log.ts";
import type { Mailer } from "./mailer.ts";
import type { LimitOverrides, PlanName } from "./plans.ts";
import type { Outbound } from "./outbound.ts";
import type { SubUserGrant } from "./sub-user.ts";
import type { LogLevel } from "./message-log.ts";
import type { Lane, MessageLogMessage } from "./work.ts";

export type Database = DrizzleD1Database;

export type Actor =
  | { kind: "anonymous" }
  /**
   * `role` is null for sub-users, who have what was `granted` instead. `staff` is read, anew each time, for operations that ask for a
   * staff permission only.
   */
  | {
      kind: "user";
      userId: string;
      sessionId: string;
      role: WorkspaceRole | null;
      granted?: readonly Permission[];
      staff?: Staff;
    }
  | { kind: "api-key"; userId: string; keyId: string; mode: "live" | "test"; scopes: readonly Permission[] }
  | { kind: "system" };

/** Where a request came from, for sessions, audit and limits. `address` is the platform's own header, never the client's. */
export interface Origin {
  address: string;
  userAgent: string;
}

export interface Ctx {
  settings: Settings;
  db: Database;
  files: R2Bucket;
  objects: Pick<Bindings, "SESSION_STORE" | "RATE_LIMITER" | "LEDGER" | "HASHER" | "STREAM_BUFFER" | "GATE">;
  requestId: string;
  origin: Origin;
  actor: Actor;
  /** The operation's idempotency key was seen before and its first run was interrupted: what it made may already exist. */
  isReplay: boolean;
  now(): number;
  /** With an Idempotency-Key the ids are a function of it, so that a repeated run finds what the first one made. */
  newId(kind: IdKind): string;
  random(lengthBytes: number): Uint8Array<ArrayBuffer>;
  log: Log;
  /** The only way to the network outside. */
  outbound: Outbound;
  /** Hands one mail to the transport that the settings name. Only the job that sends mails calls it; features ask for a mail by `mailJob`. */
  mailer: Mailer;
  /** Runs after the answer, for at most 30 s (the platform's limit): only what may be lost. */
  later(work: Promise<unknown>): void;
  /** Hints the queue that a job is due. A hint that is lost is given again by the sweeper. */
  offer(message: { jobId: string; lane: Lane; delaySeconds?: number }): Promise<void>;
  /** Puts a message on the delivery queue. Throws when that fails: the caller keeps what it holds. */
  tell(message: MessageLogMessage): Promise<void>;
  /** Runs a job in this very call if nobody else runs it. */
  runNow(jobId: string): Promise<void>;
  /** Takes one from a limit of the given principal or throws `rate-limited`. */
  takeLimit(limit: Limit, principal: string): Promise<void>;
  /** Takes from all of them or from none, with at most one call. */
  takeLimits(charges: readonly { limit: Limit; cost: number }[], principal: string): Promise<void>;
  takeOpenLimit(name: OpenLimitName): Promise<void>;
}

/** A context that acts in exactly one workspace, for a known person (the key's maker, when a key asks). */
export interface WorkspaceCtx extends Ctx {
  userId: string;
  workspaceId: string;
  plan: PlanName;
  overrides: LimitOverrides;
  /** Of the API key that asks: for whoever reserves in the ledger. */
  keyBudgets?: readonly KeyBudget[];
  /** How much of its model requests the workspace has kept at most; metadata unless said. */
  messageLog?: LogLevel;
  /** Patterns of the models that the API key may use. */
  keyModels?: readonly string[];
  /** What the person may do and use, when it is a sub-user. */
  subUser?: SubUserGrant;
}
