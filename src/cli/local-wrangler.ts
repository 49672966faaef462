/** Runs wrangler as a child on this machine: no account, no telemetry, no update check, nothing but loopback. */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json and wrangler.toml. */
export const projectRoot = fileURLToPath(new URL("../..", import.meta.url));

const wranglerPath = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));

/** Wrangler would send its own loopback calls through a proxy, and would read another set of secrets for a named environment. */
const withheld = [
  "http_proxy",
  "https_proxy",
  "all_proxy",
  "cloudflare_env",
  "cloudflare_api_token",
  "cloudflare_account_id",
];

export interface WranglerOptions {
  /** A file descriptor that takes both streams, or "inherit". */
  output: number | "inherit";
  /** Where this run keeps its registry of running Workers and its cache; two servers of one machine must not meet there. */
  scratchDir: string;
}

/** Starts wrangler in a process group of its own, so that one signal ends it and all that it started. */
export function spawnWrangler(args: readonly string[], { output, scratchDir }: WranglerOptions): ChildProcess {
  return spawn(process.execPath, [wranglerPath, ...args], {
    cwd: projectRoot,
    detached: process.platform !== "win32",
    stdio: ["ignore", output, output],
    windowsHide: true,
    env: { ...inheritedEnvironment(), ...quietEnvironment(scratchDir) },
  });
}

function inheritedEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !withheld.includes(name.toLowerCase())));
}

function quietEnvironment(scratchDir: string): Record<string, string> {
  return {
    CI: "1",
    NO_COLOR: "1",
    FORCE_COLOR: "0",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_WRITE_LOGS: "false",
    WRANGLER_REGISTRY_PATH: `${scratchDir}/registry`,
    WRANGLER_CACHE_DIR: `${scratchDir}/cache`,
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: "false",
  };
}

/** How a child ended; exactly one of the two is set. */
export interface ChildEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Settles when the child has ended, also when it could not be started. */
export function endOf(child: ChildProcess): Promise<ChildEnd> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", () => resolve({ code: 127, signal: null }));
  });
}

/** Asks wrangler to end. */
export function terminate(pid: number): void {
  if (process.platform === "win32") return killGroup(pid);
  ifAlive(() => process.kill(pid, "SIGTERM"));
}

/** Ends wrangler and everything that it started, at once and without a word to them. */
export function killGroup(pid: number): void {
  if (process.platform === "win32")
    spawn("taskkill", ["/pid", String(pid), "/T", "/F"], { stdio: "ignore", windowsHide: true });
  else ifAlive(() => process.kill(-pid, "SIGKILL"));
}

function ifAlive(signal: () => void): void {
  try {
    signal();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
