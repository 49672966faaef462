/**
 * `npm run keys:rotate [-- --remote]`: adds a new current master key, and follows the deployment while it wraps its keys by it.
 * Keeps every older version. Takes no secret on the command line and prints none unless told to.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { open, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readDevVars, writeDevVars } from "./dev-vars.ts";
import { followRotation, isRunning, type RotationEnd, type Watch } from "./follow-rotation.ts";
import { projectRoot } from "./local-wrangler.ts";
import { addMasterKey } from "./master-keys.ts";
import { print, printError } from "./terminal.ts";

const usage = `npm run keys:rotate [-- --url <address>]
npm run keys:rotate -- --remote (--out <file> | --print)

Without --remote: adds a version to MASTER_KEYS in .dev.vars; a running development server loads it and wraps its keys anew.

--remote   the deployed Worker: reads the value in force from the environment variable MASTER_KEYS (Cloudflare never gives a secret
           back), PUBLIC_URL likewise, and hands the new value to \`wrangler secret put\`
--out      write the new value to this new file (mode 0600), to be moved to where you keep secrets
--print    write the new value to the terminal instead
--url      where the development server answers, if not where .wrangler/state says`;

const olderVersions = `Keep all versions in MASTER_KEYS, also when no key is wrapped by an older one any more: API keys (ovt_...) made
under an older version are recognised by it. Removing a version ends the API keys that were made while it was current.`;

interface Options {
  remote: boolean;
  out: string | undefined;
  prints: boolean;
  url: string | undefined;
}

const watch: Watch = { fetch: (url, init) => fetch(url, init), wait: (ms) => pause(ms), now: () => Date.now(), print };

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      remote: { type: "boolean" },
      out: { type: "string" },
      print: { type: "boolean" },
      url: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    print(usage);
    process.exit(0);
  }
  return { remote: values.remote === true, out: values.out, prints: values.print === true, url: values.url };
}

async function rotateLocal(options: Options): Promise<number> {
  const file = join(projectRoot, ".dev.vars");
  const { MASTER_KEYS: current, PUBLIC_URL: configured } = await readDevVars(file);
  if (!current)
    throw new Error(
      "There is no MASTER_KEYS in .dev.vars: the first `npm run dev` makes it, and nothing is sealed before.",
    );
  const { text, version } = addMasterKey(current, randomBytes(32));
  await writeDevVars(file, { MASTER_KEYS: text });
  print(
    `MASTER_KEYS in .dev.vars begins with version ${version} now. Keep a copy of that file: without it, what is sealed stays sealed.`,
  );
  const publicUrl = options.url ?? runningServerUrl() ?? configured ?? "http://127.0.0.1:8787";
  if (!(await isRunning(watch, publicUrl))) {
    print(
      "No development server answers. The next one that starts uses the new version, and wraps the older keys by it at its next hourly tick (minute 17).",
    );
    print(olderVersions);
    return 0;
  }
  await reloadServer();
  return report(
    await followRotation(watch, { publicUrl, version, startsTick: true, everyMs: 1_000, patienceMs: 90_000 }),
  );
}

/** `wrangler dev` watches wrangler.toml and reads .dev.vars anew whenever that changes; it does not watch .dev.vars (measured with 4.155.0). */
async function reloadServer(): Promise<void> {
  const now = new Date();
  await utimes(join(projectRoot, "wrangler.toml"), now, now);
}

/** The address in the lock of the default state folder: `npm run dev` takes another port when 8787 is in use. */
function runningServerUrl(): string | undefined {
  try {
    const { url } = JSON.parse(readFileSync(join(projectRoot, ".wrangler/state/server.json"), "utf8")) as {
      url?: unknown;
    };
    return typeof url === "string" ? url : undefined;
  } catch {
    return undefined;
  }
}

async function rotateRemote(options: Options): Promise<number> {
  const { MASTER_KEYS: current, PUBLIC_URL: publicUrl } = process.env;
  if (!current)
    throw new Error(
      "Set the environment variable MASTER_KEYS to the value in force: Cloudflare never gives a secret back.",
    );
  if (!publicUrl || !URL.canParse(publicUrl))
    throw new Error("Set the environment variable PUBLIC_URL to the address of the deployed Worker.");
  if (options.out === undefined && !options.prints)
    throw new Error("Name a new file by --out <file> for the new value (or --print it): it cannot be read back later.");
  const base = publicUrl.replace(/\/$/, "");
  const { text, version } = addMasterKey(current, randomBytes(32));
  await requireVersionInForce(base, current);
  await keep(options, text);
  await putSecret(text);
  print(`MASTER_KEYS of the deployed Worker begins with version ${version} now.`);
  print("The hourly tick (minute 17) wraps the keys anew. This command watches; ending it changes nothing.");
  return report(
    await followRotation(watch, {
      publicUrl: base,
      version,
      startsTick: false,
      everyMs: 15_000,
      patienceMs: 75 * 60_000,
    }),
  );
}

/** A value that is not the one in force would lose every key that the versions it lacks have wrapped. */
async function requireVersionInForce(publicUrl: string, current: string): Promise<void> {
  const response = await fetch(`${publicUrl}/v1/status`, { signal: AbortSignal.timeout(10_000) });
  const { encryption } = (await response.json()) as { encryption?: { currentVersion?: number } };
  const given = Number(current.trim().split(":")[0]);
  if (encryption?.currentVersion === given) return;
  throw new Error(
    `MASTER_KEYS begins with version ${given}, but the Worker at ${publicUrl} runs with version ${encryption?.currentVersion}: this is not the value in force.`,
  );
}

/** Before the secret is put: a value that only Cloudflare has is lost with the account's secret. */
async function keep({ out, prints }: Options, text: string): Promise<void> {
  if (prints) print(text);
  if (out === undefined) return;
  const handle = await open(out, "wx", 0o600);
  try {
    await handle.writeFile(`${text}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  print(
    `The new value of MASTER_KEYS is in ${out}. Move it to where you keep secrets: losing it loses every sealed file.`,
  );
}

/** By standard input, so that the value is in no process list and no shell history. */
async function putSecret(text: string): Promise<void> {
  const wrangler = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));
  const { MASTER_KEYS: _withheld, ...env } = process.env;
  const child = spawn(process.execPath, [wrangler, "secret", "put", "MASTER_KEYS"], {
    cwd: projectRoot,
    stdio: ["pipe", "inherit", "inherit"],
    env,
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(text);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (code !== 0)
    throw new Error(
      `wrangler ended with exit code ${code}: the secret was not changed, and the value kept above is not in use.`,
    );
}

const endings: Record<Exclude<RotationEnd, "done">, string> = {
  "no-answer": "The server does not answer. The new version is set; the next hourly tick goes on with the keys.",
  "not-arrived": "The server did not load the new version. Restart it; its next hourly tick wraps the keys anew.",
  "stale-keys-left":
    "Some keys could not be wrapped anew: look for encryption-key.not-rewrapped in the server's log. They still open with the older versions.",
};

function report(end: RotationEnd): number {
  if (end !== "done") printError(endings[end]);
  print(olderVersions);
  return end === "done" ? 0 : 1;
}

if (import.meta.main) {
  try {
    const options = readOptions();
    process.exitCode = await (options.remote ? rotateRemote(options) : rotateLocal(options));
  } catch (error) {
    printError(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
