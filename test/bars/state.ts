/** Reads (and once, before a run, changes) the files in which a stopped local server keeps its state. Never opened beside a running one. */
import { randomBytes } from "node:crypto";
import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

type Row = Record<string, string | number | null>;

export interface LocalState {
  /** Rows of the product's own database. */
  database<Shape extends object = Row>(sql: string): Shape[];
  /** Rows of the bucket's index: `_mf_objects`, `_mf_multipart_uploads`, `_mf_multipart_parts`. */
  bucket<Shape extends object = Row>(sql: string): Shape[];
  /** Rows of every instance of a Durable Object class that has the table. */
  objects<Shape extends object = Row>(className: string, sql: string): Shape[];
}

const databaseFiles = "v3/d1/miniflare-D1DatabaseObject/*.sqlite";
const bucketFiles = "v3/r2/miniflare-R2BucketObject/*.sqlite";

export function readState(stateDir: string): LocalState {
  return {
    database: (sql) => query(onlyWith(stateDir, databaseFiles, "jobs"), sql),
    bucket: (sql) => query(onlyWith(stateDir, bucketFiles, "_mf_objects"), sql),
    objects: (className, sql) =>
      filesOf(stateDir, `v3/do/*-${className}/*.sqlite`).flatMap((file) => queryIfThere(file, sql)),
  };
}

/** Gives every workspace the limits that a load test needs. The server must be stopped. */
export function liftLimits(stateDir: string): void {
  const limits = {
    storageBytes: null,
    conversionsPerHour: null,
    apiKeyRequestsPerMinute: null,
    apiCallsPerMonth: null,
    sessionRequestsPerMinute: 100_000,
  };
  const database = new DatabaseSync(onlyWith(stateDir, databaseFiles, "workspaces"));
  try {
    database.prepare("UPDATE workspaces SET limit_overrides = ?").run(JSON.stringify(limits));
  } finally {
    database.close();
  }
}

export interface Change {
  sql: string;
  values: (string | number | null)[];
}

/** Changes the product's own database. The server must be stopped. */
export function changeState(stateDir: string, changes: readonly Change[]): void {
  const database = new DatabaseSync(onlyWith(stateDir, databaseFiles, "workspaces"));
  try {
    for (const { sql, values } of changes) database.prepare(sql).run(...values);
  } finally {
    database.close();
  }
}

/** Makes copies of a person's row, with the same password and other addresses; returns the addresses. The server must be stopped. */
export function multiplyPerson(stateDir: string, { userId, count }: { userId: string; count: number }): string[] {
  const database = new DatabaseSync(onlyWith(stateDir, databaseFiles, "workspaces"));
  try {
    const row = database.prepare("SELECT * FROM users WHERE id = ?").get(userId);
    if (!row) throw new Error(`There is no person ${userId}.`);
    const names = Object.keys(row);
    const insert = database.prepare(
      `INSERT INTO users (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    );
    const emails: string[] = [];
    database.exec("BEGIN");
    for (let index = 0; index < count; index += 1) {
      const id = `${userId.slice(0, -6)}${String(index).padStart(6, "0")}`;
      const email = `copy-${randomBytes(6).toString("hex")}@example.com`;
      const copy = { ...row, id, email, username: null, username_key: null } as typeof row;
      insert.run(...names.map((name) => copy[name] ?? null));
      emails.push(email);
    }
    database.exec("COMMIT");
    return emails;
  } finally {
    database.close();
  }
}

/** Gives a person a role in the whole product. The server must be stopped. */
export function setRole(stateDir: string, { userId, role }: { userId: string; role: string }): void {
  const database = new DatabaseSync(onlyWith(stateDir, databaseFiles, "workspaces"));
  try {
    database.prepare("UPDATE users SET role = ? WHERE id = ?").run(role, userId);
  } finally {
    database.close();
  }
}

/** miniflare keeps a `metadata.sqlite` beside the data of a kind. */
function filesOf(stateDir: string, pattern: string): string[] {
  return globSync(join(stateDir, pattern)).filter((file) => !file.endsWith("metadata.sqlite"));
}

function onlyWith(stateDir: string, pattern: string, table: string): string {
  const found = filesOf(stateDir, pattern).filter(
    (file) => query(file, `SELECT name FROM sqlite_master WHERE type = 'table' AND name = '${table}'`).length > 0,
  );
  const [file] = found;
  if (file === undefined || found.length > 1)
    throw new Error(`${found.length} files of ${pattern} have a table ${table}; one was expected.`);
  return file;
}

/** Objects of one class serve several purposes, and make their tables when they are first needed. */
function queryIfThere<Shape extends object>(file: string, sql: string): Shape[] {
  try {
    return query(file, sql);
  } catch (error) {
    if ((error as Error).message.includes("no such table")) return [];
    throw error;
  }
}

function query<Shape extends object>(file: string, sql: string): Shape[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return database.prepare(sql).all() as Shape[];
  } finally {
    database.close();
  }
}
