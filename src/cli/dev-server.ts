/** Starts the Worker on this machine with everything it needs, and stops it with everything it started. Loopback only. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { startTicker } from "./cron-ticker.ts";
import { type ChildEnd, endOf, killGroup, projectRoot, spawnWrangler, terminate } from "./local-wrangler.ts";
import { migrateLocal } from "./migrate-local.ts";
import { setUp } from "./setup.ts";
import { holdState, refuseSharedState, releaseState } from "./state-lock.ts";

const host = "127.0.0.1";
const defaultPort = 8787;
const portsTried = 50;
const portWaitSeconds = 10;
const startSeconds = 90;
const stopSeconds = 8;

export interface DevServerOptions {
  /** The port to begin looking at; the next free one is taken. Default 8787. */
  port?: number | undefined;
  /** true waits a few seconds for `port` and fails when it stays taken: for clients that go on talking to a restarted server. */
  exactPort?: boolean | undefined;
  /** Where database, files and objects are kept; a server of its own needs a folder of its own. Default `.wrangler/state`. */
  persistTo?: string | undefined;
  /** false shows wrangler's own log in the terminal instead of writing it to the log file. Default true. */
  quiet?: boolean | undefined;
  /** Variables over those of wrangler.toml. They are visible in the process list: no secrets. */
  vars?: Record<string, string> | undefined;
  /** false leaves the cron triggers to the caller's `tick`. Default true. */
  ticker?: boolean | undefined;
}

export interface DevServer {
  url: string;
  port: number;
  /** The process group of wrangler and workerd: `process.kill(-pid, "SIGKILL")` is the hardest crash. */
  pid: number;
  logFile: string;
  stateDir: string;
  /** Settles when the server has ended, by `stop` or otherwise. */
  ended: Promise<ChildEnd>;
  /** Fires one cron trigger and waits until its handler is done. */
  tick(cron: string, atMs?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Makes secrets and assets, migrates, starts `wrangler dev` and waits until `/health` answers 200. Throws with the end of the log. */
export async function startDevServer(options: DevServerOptions = {}): Promise<DevServer> {
  const stateDir = resolve(projectRoot, options.persistTo ?? ".wrangler/state");
  const logFile = options.persistTo === undefined ? join(projectRoot, ".wrangler/dev.log") : join(stateDir, "dev.log");
  mkdirSync(stateDir, { recursive: true });
  mkdirSync(dirname(logFile), { recursive: true });
  await refuseSharedState(stateDir);
  await setUp();
  closeSync(openSync(logFile, "w"));
  await migrateLocal({ stateDir, logFile });
  const port = await (options.exactPort ? waitForPort : findPort)(options.port ?? defaultPort);
  const launched = launch({ port, stateDir, logFile, vars: options.vars ?? {}, quiet: options.quiet ?? true });
  await waitUntilReady(launched);
  const server = { ...launched, port, tick: (cron: string, atMs = Date.now()) => tick(launched.url, cron, atMs) };
  const ticker =
    options.ticker === false
      ? null
      : startTicker((cron, atMs) => server.tick(cron, atMs).catch((error: Error) => warn(error.message)));
  void launched.ended.then(() => ticker?.stop());
  return server;
}

interface Launch {
  port: number;
  stateDir: string;
  logFile: string;
  vars: Record<string, string>;
  quiet: boolean;
}

type Launched = Pick<DevServer, "url" | "pid" | "logFile" | "stateDir" | "ended" | "stop">;

function launch(options: Launch): Launched {
  const { stateDir, logFile } = options;
  const url = `http://${host}:${options.port}`;
  const log = options.quiet ? openSync(logFile, "a") : null;
  const child = spawnWrangler(wranglerArgs(url, options), { output: log ?? "inherit", scratchDir: stateDir });
  if (log !== null) closeSync(log);
  const { pid } = child;
  if (pid === undefined) throw new Error("wrangler could not be started. Run npm ci first.");
  holdState(stateDir, { pid, url });
  const killOnExit = () => killGroup(pid);
  process.once("exit", killOnExit);
  const ended = endOf(child).then((end) => {
    process.off("exit", killOnExit);
    killGroup(pid);
    releaseState(stateDir, pid);
    return end;
  });
  return { url, pid, logFile, stateDir, ended, stop: () => stop(pid, ended) };
}

function wranglerArgs(url: string, { port, stateDir, vars }: Launch): string[] {
  const all = { ...localVars(url), ...vars };
  const variables = Object.entries(all).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const where = ["--ip", host, "--port", String(port), "--inspector-port", "0", "--persist-to", stateDir];
  return ["dev", "--local", "--show-interactive-dev-session=false", "--log-level", "info", ...where, ...variables];
}

/** What a deployment sets for itself. The S3 credentials are the two words that wrangler.toml gives to wrangler's own endpoint. */
function localVars(url: string): Record<string, string> {
  return {
    ENVIRONMENT: "development",
    PUBLIC_URL: url,
    R2_S3_ENDPOINT: `${url}/cdn-cgi/local/r2/s3`,
    R2_ACCESS_KEY_ID: "local",
    R2_SECRET_ACCESS_KEY: "local-development-only",
  };
}

async function waitUntilReady({ url, ended, stop: stopIt, logFile }: Launched): Promise<void> {
  const until = Date.now() + startSeconds * 1_000;
  let end: ChildEnd | null = null;
  void ended.then((value) => (end = value));
  let last = "no answer";
  while (end === null && Date.now() < until && !failedToBuild(logFile)) {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(3_000) }).catch((error: Error) => error);
    if (answer instanceof Response && answer.ok) return;
    last = answer instanceof Response ? `${answer.status} ${(await answer.text()).slice(0, 500)}` : answer.message;
    await pause(100);
  }
  const why =
    describeEnd(end) ??
    (failedToBuild(logFile) ? "it does not build" : null) ??
    `/health did not answer 200 within ${startSeconds} s (${last})`;
  await stopIt();
  throw new Error(`The server did not start: ${why}.\n${lastLines(logFile)}`);
}

/** wrangler stays up after a failed build and waits for a change; nobody who starts a server wants to wait with it. */
function failedToBuild(logFile: string): boolean {
  return readFileSync(logFile, "utf8").includes("Build failed with");
}

function describeEnd(end: ChildEnd | null): string | null {
  return end && `wrangler ended with ${end.signal ?? `exit code ${end.code}`}`;
}

/** The last lines of a log, for the person who has to find out what went wrong. */
export function lastLines(logFile: string, count = 40): string {
  const lines = existsSync(logFile)
    ? stripVTControlCharacters(readFileSync(logFile, "utf8")).trimEnd().split("\n")
    : [];
  return [`--- the last lines of ${logFile}`, ...lines.slice(-count), "---"].join("\n");
}

async function stop(pid: number, ended: Promise<ChildEnd>): Promise<void> {
  // Only wrangler itself: it ends workerd and its compiler in order, and what remains is killed when it has ended.
  terminate(pid);
  const timer = setTimeout(() => killGroup(pid), stopSeconds * 1_000);
  await ended;
  clearTimeout(timer);
}

async function tick(url: string, cron: string, atMs: number): Promise<void> {
  const query = new URLSearchParams({ cron, time: String(atMs), format: "json" });
  const response = await fetch(`${url}/cdn-cgi/local/scheduled?${query}`, { signal: AbortSignal.timeout(120_000) });
  const text = await response.text();
  if (!response.ok || (JSON.parse(text) as { outcome?: string }).outcome !== "ok")
    throw new Error(`The tick "${cron}" failed: ${response.status} ${text.slice(0, 300)}`);
}

/** A port as it stands on the command line; undefined when it was not given. */
export function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new Error(`--port ${text} is not a port from 1 to 65535.`);
  return port;
}

function warn(message: string): void {
  process.stderr.write(`${message}\n`);
}

async function waitForPort(port: number): Promise<number> {
  for (const until = Date.now() + portWaitSeconds * 1_000; Date.now() < until; await pause(100))
    if (await isFree(port)) return port;
  throw new Error(`Port ${port} is taken.`);
}

async function findPort(first: number): Promise<number> {
  for (let port = first; port < first + portsTried && port <= 65_535; port += 1) if (await isFree(port)) return port;
  throw new Error(`No free port from ${first} on.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const probe = createServer();
    probe.once("error", () => answer(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => answer(true)));
  });
}
