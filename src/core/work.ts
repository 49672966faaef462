/** The words of background work that both the job engine and the context speak. */
import type { SQL } from "drizzle-orm";
import type { BatchItem } from "drizzle-orm/batch";
import type { MessageEntry } from "./message-log.ts";

/** A lane is one queue, so one concurrency; it says nothing about the kind of work. */
export type Lane = "conversion" | "transcription" | "distribution" | "delivery";

/** All that a queue learns: which row is due. */
export interface JobMessage {
  v: 1;
  jobId: string;
}

/** A ledger has something to tell the database: whose. */
export interface LedgerMessage {
  v: 1;
  ledger: string;
}

/** Model requests that an isolate has served, on their way into the message log. */
export interface MessageLogMessage {
  v: 1;
  messageLogs: MessageEntry[];
}

/** A statement that has not run yet, for a batch. */
export type Statement = BatchItem<"sqlite">;

/** A condition of SQL, made by a store. */
export type Condition = SQL;

export interface Progress {
  done: number;
  total: number;
  step: string;
}
