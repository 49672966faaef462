/**
 * Reads and changes `.dev.vars`, the ignored file of local secrets that `wrangler dev` loads. Changes are atomic and readable by the owner
 * only; comments and other lines stay as they are. Refuses to write what would read back differently.
 */
import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { isDeepStrictEqual, parseEnv } from "node:util";

export type DevVars = Record<string, string>;

/** The variables of the file; none when there is no file. */
export async function readDevVars(file: string): Promise<DevVars> {
  return parse(await readText(file));
}

/** Sets the given variables and keeps all others. */
export async function writeDevVars(file: string, vars: DevVars): Promise<void> {
  const before = await readText(file);
  const after = setVars(before, vars);
  if (after === before) return;
  await replaceFile(file, after);
}

/** A file only its owner can read (mode 0600), complete or not at all: a crash leaves the old one. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

function parse(text: string): DevVars {
  return { ...parseEnv(text) } as DevVars;
}

function setVars(text: string, vars: DevVars): string {
  const current = parse(text);
  let changed = text;
  for (const [name, value] of Object.entries(vars)) if (current[name] !== value) changed = setVar(changed, name, value);
  // A quoting that this file's rules do not foresee must never cost a secret.
  if (!isDeepStrictEqual(parse(changed), { ...current, ...vars }))
    throw new Error("The variables cannot be written to the file without changing others: edit it by hand.");
  return changed;
}

function setVar(text: string, name: string, value: string): string {
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new RangeError(`"${name}" is not the name of a variable.`);
  const line = `${name}=${quote(value)}`;
  const entry = new RegExp(
    `^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=[ \\t]*(?:'[^']*'|"[^"]*"|\`[^\`]*\`|[^\\r\\n]*).*$`,
    "m",
  );
  if (entry.test(text)) return text.replace(entry, () => line);
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${line}\n`;
}

/** Plain where the dotenv rules allow it, else in a kind of quotes that the value does not hold. */
function quote(value: string): string {
  if (/^[\w.:/+=,@-]*$/.test(value)) return value;
  const mark = ["'", "`"].find((candidate) => !value.includes(candidate));
  if (mark === undefined) throw new Error("A value that holds both kinds of quotes cannot be written.");
  return `${mark}${value}${mark}`;
}
