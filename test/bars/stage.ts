/**
 * A copy of the product in a folder of its own with a server that can be killed and started again on the same state and port. What a
 * bar does, and what a mutant damages, never touches the working tree. Everything it made is gone at the end, however that comes.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DevServer, startDevServer } from "../../src/cli/dev-server.ts";

interface DevServerModule {
  startDevServer: typeof startDevServer;
}

/** A change of one file's text. `find` has to be there: a mutant that no longer fits must not pass for one that was caught. */
export interface Patch {
  file: string;
  find: string;
  replace: string;
  /** How often `find` is expected. Default 1. */
  times?: number;
}

export interface Stage {
  folder: string;
  url: string;
  stateDir: string;
  start(): Promise<void>;
  /** SIGKILL to the whole process group; returns once it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves as soon as the server runs; at once when it does. */
  whenUp(): Promise<void>;
  /** False from the moment before a kill. */
  isUp(): boolean;
  /** Fires a cron trigger; throws when the server dies meanwhile. */
  tick(cron: string): Promise<void>;
  remove(): Promise<void>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The local secrets stay where they are: a stage makes its own. */
const left = new Set([".git", ".wrangler", ".dev.vars", ".tmp", "coverage", "node_modules", "test"]);
/** Below the range from which systems take ports for outgoing connections: nobody else may take ours between a kill and a start. */
const ports = { first: 20_000, last: 29_999 };

/** `vars` go over those of wrangler.toml. */
export async function openStage(patches: readonly Patch[] = [], vars: Record<string, string> = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "overtone-bar-"));
  let server: Server | null = null;
  const sweep = () => {
    server?.signal();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const leave = () => process.exit(130);
  process.once("exit", sweep);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, leave);
  fill(folder, patches);
  const module = (await import(pathToFileURL(join(folder, "src/cli/dev-server.ts")).href)) as DevServerModule;
  const made = makeServer(module, { port: await findPort(), vars });
  server = made;
  return {
    ...made,
    folder,
    stateDir: join(folder, ".wrangler/state"),
    async remove() {
      await made.stop();
      sweep();
      process.off("exit", sweep);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(signal, leave);
    },
  };
}

function fill(folder: string, patches: readonly Patch[]): void {
  for (const name of readdirSync(root))
    if (!left.has(name)) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  applyPatches(folder, patches);
}

/** Changes a stage's copy, all or nothing; the server sees it when it starts. Returns what takes the changes back. */
export function applyPatches(folder: string, patches: readonly Patch[]): () => void {
  const before = new Map<string, string>();
  const after = new Map<string, string>();
  for (const { file, find, replace, times = 1 } of patches) {
    const path = join(folder, file);
    const text = after.get(path) ?? readFileSync(path, "utf8");
    if (!before.has(path)) before.set(path, text);
    const parts = text.split(find);
    if (parts.length !== times + 1)
      throw new Error(
        `A patch no longer fits: ${file} has ${parts.length - 1} of ${times} times ${JSON.stringify(find)}.`,
      );
    after.set(path, parts.join(replace));
  }
  for (const [path, text] of after) writeFileSync(path, text);
  return () => {
    for (const [path, text] of before) writeFileSync(path, text);
  };
}

type Server = Pick<Stage, "url" | "start" | "kill" | "stop" | "whenUp" | "isUp" | "tick"> & {
  /** SIGKILL without waiting, for the end of this process. */
  signal(): void;
};

function makeServer(module: DevServerModule, { port, vars }: { port: number; vars: Record<string, string> }): Server {
  let running: DevServer | null = null;
  let up = Promise.withResolvers<void>();
  const down = (): DevServer | null => {
    const server = running;
    if (server) up = Promise.withResolvers<void>();
    running = null;
    return server;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    async start() {
      running = await module.startDevServer({ port, exactPort: true, ticker: false, vars });
      up.resolve();
    },
    async kill() {
      const server = down();
      if (!server) return;
      process.kill(-server.pid, "SIGKILL");
      await server.ended;
    },
    signal() {
      try {
        const server = down();
        if (server) process.kill(-server.pid, "SIGKILL");
      } catch {
        // It had ended by itself: this process ends too, and only the folder is left to be removed.
      }
    },
    async stop() {
      await down()?.stop();
    },
    whenUp: () => up.promise,
    isUp: () => running !== null,
    async tick(cron) {
      await running?.tick(cron);
    },
  };
}

async function findPort(): Promise<number> {
  const span = ports.last - ports.first + 1;
  for (let tries = 0; tries < 100; tries += 1) {
    const port = ports.first + ((process.pid * 7 + tries * 101) % span);
    if (await isFree(port)) return port;
  }
  throw new Error("No free port.");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
