/** Runs other programs for the scripts beside this file. */
import { type ChildProcess, spawn } from "node:child_process";

interface Ended {
  code: number;
  /** Standard output and error, when they were not shown. */
  output: string;
}

interface RunOptions {
  /** The program prints for itself; otherwise what it prints is kept. */
  shown: boolean;
  /** Added to this process's own environment. */
  settings?: Record<string, string>;
  /** A program that prints nothing for so long is ended, with all that it started, and its code is `silentCode`. */
  silenceSecondsMax?: number;
}

export const silentCode = 124;

export function run(
  command: string,
  given: readonly string[],
  { shown, settings, silenceSecondsMax }: RunOptions,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const colour = shown && process.stdout.isTTY ? { FORCE_COLOR: "1" } : {};
    // In a group of its own, so that what it started can be ended with it.
    const detached = silenceSecondsMax !== undefined;
    const env = { ...process.env, ...colour, ...settings };
    const child = spawn(command, given, { stdio: ["ignore", "pipe", "pipe"], env, detached });
    const watch = watchSilence(child, silenceSecondsMax);
    let output = "";
    const keep = (chunk: Buffer): void => {
      watch.heard();
      if (shown) process.stdout.write(chunk);
      else output += chunk.toString();
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", reject);
    child.on("close", (code) => {
      watch.stop();
      resolve({ code: watch.wasSilent() ? silentCode : (code ?? 1), output });
    });
  });
}

function watchSilence(child: ChildProcess, secondsMax: number | undefined) {
  let wasSilent = false;
  const end = (): void => {
    wasSilent = true;
    endGroup(child);
  };
  const timer = secondsMax === undefined ? undefined : setTimeout(end, secondsMax * 1_000);
  // Ctrl-C reaches this process's own group only.
  const leave = (): void => {
    endGroup(child);
    process.exit(130);
  };
  if (timer) process.once("SIGINT", leave).once("SIGTERM", leave);
  return {
    heard: () => void timer?.refresh(),
    wasSilent: () => wasSilent,
    stop() {
      clearTimeout(timer);
      process.off("SIGINT", leave).off("SIGTERM", leave);
    },
  };
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
