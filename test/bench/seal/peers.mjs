/** Runs the peers in their own processes, one request at a time, so that their memory and threads are their own. */
import { fork, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** `run(request)` gives the milliseconds of one round; `stop` ends the process. */
export function startNodePeer() {
  const child = fork(path("peer-node.mjs"));
  const run = (request) =>
    new Promise((resolve, reject) => {
      child.once("exit", reject);
      child.once("message", (answer) => {
        child.off("exit", reject);
        resolve(answer.milliseconds);
      });
      child.send(request);
    });
  return { run, processId: child.pid, stop: () => child.kill() };
}

/** The same for Debian's Python, whose packages python3-pil, python3-cryptography and python3-zstandard it needs. */
export function startPythonPeer(python = "/usr/bin/python3") {
  const child = spawn(python, [path("peer.py")], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const run = (request) =>
    new Promise((resolve, reject) => {
      child.once("exit", reject);
      lines.once("line", (line) => {
        child.off("exit", reject);
        resolve(JSON.parse(line).milliseconds);
      });
      child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  return { run, processId: child.pid, stop: () => child.kill() };
}
