/** Runs other programs for the scripts beside this file. */
import { spawn } from "node:child_process";

interface Ended {
  code: number;
  /** Standard output and error, when they were not shown. */
  output: string;
}

/** `shown`: the program prints for itself; otherwise what it prints is kept. */
export function run(command: string, given: readonly string[], { shown }: { shown: boolean }): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const to = shown ? "inherit" : "pipe";
    const child = spawn(command, given, { stdio: ["ignore", to, to] });
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
