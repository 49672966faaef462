/**
 * Brings the local D1 database to the newest migration. What was applied is remembered beside the state, so that a restart costs no
 * wrangler run, and a migration that was edited after it was applied is refused: wrangler would skip it without a word.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endOf, projectRoot, spawnWrangler } from "./local-wrangler.ts";

interface Places {
  stateDir: string;
  logFile: string;
}

/** File name to SHA-256 of the file. */
type Applied = Record<string, string>;

export async function migrateLocal({ stateDir, logFile }: Places): Promise<void> {
  mkdirSync(stateDir, { recursive: true });
  const memory = join(stateDir, "migrations.json");
  const wanted = readMigrations();
  const applied = existsSync(memory) ? (JSON.parse(readFileSync(memory, "utf8")) as Applied) : {};
  const edited = Object.keys(applied).find((name) => wanted[name] !== applied[name]);
  if (edited !== undefined) {
    throw new Error(
      `Migration ${edited} was changed or removed after it was applied here. Delete ${stateDir} to begin anew, or bring the file back.`,
    );
  }
  if (Object.keys(wanted).every((name) => name in applied)) return;
  await applyAll({ stateDir, logFile });
  writeFileSync(memory, JSON.stringify(wanted, null, 2));
}

function readMigrations(): Applied {
  const folder = join(projectRoot, "migrations");
  const names = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex"),
    ]),
  );
}

async function applyAll({ stateDir, logFile }: Places): Promise<void> {
  const log = openSync(logFile, "a");
  try {
    const args = ["d1", "migrations", "apply", "overtone", "--local", "--persist-to", stateDir];
    const end = await endOf(spawnWrangler(args, { output: log, scratchDir: stateDir }));
    if (end.code !== 0)
      throw new Error(
        `The migrations could not be applied (${end.signal ?? `exit code ${end.code}`}). The log is ${logFile}.`,
      );
  } finally {
    closeSync(log);
  }
}
