/**
 * Keeps one stream of a model while it runs and five minutes longer, so that a caller who lost the connection reads on. It asks nobody anything and
 * sees ciphertext only. All its events lie in the object's storage: one that is removed or crashes loses nothing that it confirmed, and whether the
 * stream has ended is written with the last of them, so that a stream whose sender vanished never looks whole. Only a stream without events is in
 * memory alone: whoever waits for the first byte does not wait for a disk.
 */
import { DurableObject } from "cloudflare:workers";
import { erasedAtMs, isLost, keptMs, maxStreamBytes, type StreamState } from "./rules.ts";

export interface Opening {
  /** Who asked for the stream: a sub-user reads its own only. */
  userId: string;
  /** The key of the stream's parts, in an envelope. */
  wrappedKey: string;
  masterVersion: number;
  /** In which shape a reader is told of errors. */
  errors: "openai" | "problem";
  nowMs?: number;
}

/** Events that follow each other, from `firstId` on, sealed together. */
export interface Part {
  firstId: number;
  count: number;
  sealed: Uint8Array<ArrayBuffer>;
}

export interface Addition {
  /** Null: there is nothing new, but the sender is still there, or the state has changed. */
  part: Part | null;
  state: Exclude<StreamState, "lost">;
  nowMs?: number;
}

export interface Reading extends Omit<Opening, "nowMs"> {
  state: StreamState;
  /** 0: no event has come. */
  lastId: number;
  /** The first parts behind `after`; more may be there. */
  parts: Part[];
}

interface Row extends Record<string, SqlStorageValue> {
  user_id: string;
  wrapped_key: string;
  master_version: number;
  errors: "openai" | "problem";
  state: StreamState;
  last_id: number;
  size_bytes: number;
  heard_at_ms: number;
}

const maxReadBytes = 262_144;
/** Nonces and tags come on top of the text. */
const maxSealedBytes = maxStreamBytes * 2;

export class StreamBuffer extends DurableObject {
  readonly #waiting = new Set<() => void>();
  /** Until its first events come. */
  #unwritten: Row | null = null;

  /** `nowMs` is for tests, here and below. */
  open({ userId, wrappedKey, masterVersion, errors, nowMs = Date.now() }: Opening): void {
    this.#unwritten = {
      user_id: userId,
      wrapped_key: wrappedKey,
      master_version: masterVersion,
      errors,
      state: "running",
      last_id: 0,
      size_bytes: 0,
      heard_at_ms: nowMs,
    };
  }

  /**
   * False: nothing more is taken, because the stream is over, was given up, is too long or lacks what came before. The same part again, whose
   * confirmation was lost, is taken once.
   */
  async append({ part, state, nowMs = Date.now() }: Addition): Promise<boolean> {
    const row = this.#row();
    if (!row || this.#judged(row, nowMs) !== "running") return false;
    // Nothing is awaited before the rest: the write and what follows are one.
    const alarmed = row === this.#unwritten ? this.#write(row) : null;
    const isBehindGap = part !== null && part.firstId > row.last_id + 1;
    if (part && !isBehindGap) this.#add(row, part);
    const isFull = row.size_bytes > maxSealedBytes;
    this.#enter(row, isBehindGap ? "lost" : isFull ? "too-long" : state, nowMs);
    this.#wake();
    await alarmed;
    return !isFull && !isBehindGap;
  }

  /** Null: there is no such stream. With nothing behind `after` in a running one it waits for news, at most `waitMs`. */
  async read(asked: { after: number; waitMs: number; nowMs?: number }): Promise<Reading | null> {
    const { after, waitMs, nowMs = Date.now() } = asked;
    const first = this.#read(after, nowMs);
    const isAll = first?.state === "running" && first.parts.length === 0;
    if (!isAll || waitMs <= 0) return first;
    await this.#news(waitMs);
    return this.#read(after, asked.nowMs ?? Date.now());
  }

  /** Nobody was told of it. */
  async discard(): Promise<void> {
    this.#unwritten = null;
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    this.#wake();
  }

  /** `nowMs` is for tests: the platform passes something else, or nothing. */
  override async alarm(about?: AlarmInvocationInfo & { nowMs?: number }): Promise<void> {
    const row = this.#row();
    const eraseAtMs = row ? erasedAtMs(row.state, row.heard_at_ms) : 0;
    if (eraseAtMs > (about?.nowMs ?? Date.now())) return this.ctx.storage.setAlarm(eraseAtMs);
    await this.ctx.storage.deleteAll();
    this.#wake();
  }

  #row(): Row | null {
    const { sql } = this.ctx.storage;
    // A reader who guesses makes no table: an object without one ceases to exist.
    if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'stream'").toArray().length === 0) return this.#unwritten;
    return sql.exec<Row>("SELECT * FROM stream").toArray()[0] ?? null;
  }

  async #write(row: Row): Promise<void> {
    const { sql } = this.ctx.storage;
    sql.exec(`CREATE TABLE stream (user_id TEXT NOT NULL, wrapped_key TEXT NOT NULL, master_version INTEGER NOT NULL,
      errors TEXT NOT NULL, state TEXT NOT NULL, last_id INTEGER NOT NULL, size_bytes INTEGER NOT NULL, heard_at_ms INTEGER NOT NULL)`);
    sql.exec("CREATE TABLE parts (first_id INTEGER PRIMARY KEY, last_id INTEGER NOT NULL, sealed BLOB NOT NULL)");
    sql.exec(
      "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      row.user_id,
      row.wrapped_key,
      row.master_version,
      row.errors,
      row.state,
      row.last_id,
      row.size_bytes,
      row.heard_at_ms,
    );
    this.#unwritten = null;
    await this.ctx.storage.setAlarm(row.heard_at_ms + keptMs);
  }

  #judged(row: Row, nowMs: number): StreamState {
    if (!isLost(row.state, { heardAtMs: row.heard_at_ms, nowMs })) return row.state;
    // For good: a reader was told, and a sender who comes back late must not make a whole stream of it.
    this.#enter(row, "lost", row.heard_at_ms);
    return "lost";
  }

  #add(row: Row, { firstId, count, sealed }: Part): void {
    if (firstId <= row.last_id) return;
    const lastId = firstId + count - 1;
    this.ctx.storage.sql.exec("INSERT INTO parts VALUES (?, ?, ?)", firstId, lastId, sealed);
    row.last_id = lastId;
    row.size_bytes += sealed.byteLength;
  }

  #enter(row: Row, state: StreamState, heardAtMs: number): void {
    const { sql } = this.ctx.storage;
    row.state = state;
    row.heard_at_ms = heardAtMs;
    if (row === this.#unwritten) return;
    if (state === "too-long") sql.exec("DELETE FROM parts");
    sql.exec(
      "UPDATE stream SET state = ?, last_id = ?, size_bytes = ?, heard_at_ms = ?",
      state,
      row.last_id,
      row.size_bytes,
      heardAtMs,
    );
  }

  #read(after: number, nowMs: number): Reading | null {
    const row = this.#row();
    if (!row) return null;
    const state = this.#judged(row, nowMs);
    if (erasedAtMs(state, row.heard_at_ms) <= nowMs) return null;
    return {
      userId: row.user_id,
      wrappedKey: row.wrapped_key,
      masterVersion: row.master_version,
      errors: row.errors,
      state,
      lastId: row.last_id,
      parts: row.last_id > after ? this.#partsAfter(after) : [],
    };
  }

  #partsAfter(after: number): Part[] {
    const parts: Part[] = [];
    let sizeBytes = 0;
    const rows = this.ctx.storage.sql.exec<{ first_id: number; last_id: number; sealed: ArrayBuffer }>(
      "SELECT * FROM parts WHERE last_id > ? ORDER BY first_id",
      after,
    );
    for (const { first_id: firstId, last_id: lastId, sealed } of rows) {
      parts.push({ firstId, count: lastId - firstId + 1, sealed: new Uint8Array(sealed) });
      sizeBytes += sealed.byteLength;
      if (sizeBytes >= maxReadBytes) break;
    }
    return parts;
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async #news(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.#waiting.add(end);
    });
  }
}
