/** Runs other programs for the scripts beside this file. */
import { spawn } from "node:child_process";

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
}

export function run(command: string, given: readonly string[], { shown, settings }: RunOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const to = shown ? "inherit" : "pipe";
    const child = spawn(command, given, { stdio: ["ignore", to, to], env: { ...process.env, ...settings } });
    let output = "";
    const keep = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
