/**
 * One server a state folder: two workerd processes on the same SQLite files would corrupt them. A lock whose process has died, or whose
 * server no longer listens, is taken over.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

interface Holder {
  pid: number;
  url: string;
}

export class StateInUseError extends Error {}

function lockPath(stateDir: string): string {
  return join(stateDir, "server.json");
}

/** Throws `StateInUseError` when a living server holds the folder. */
export async function refuseSharedState(stateDir: string): Promise<void> {
  const holder = readHolder(stateDir);
  if (!holder || !isAlive(holder.pid) || !(await listens(holder.url))) return;
  throw new StateInUseError(
    `The state folder ${stateDir} belongs to the server at ${holder.url} (process ${holder.pid}). Stop that server, or give this one its own folder: --persist-to <folder>.`,
  );
}

export function holdState(stateDir: string, holder: Holder): void {
  writeFileSync(lockPath(stateDir), JSON.stringify(holder));
}

/** Removes the lock if it is still this server's own. */
export function releaseState(stateDir: string, pid: number): void {
  if (readHolder(stateDir)?.pid === pid) rmSync(lockPath(stateDir), { force: true });
}

function readHolder(stateDir: string): Holder | null {
  try {
    const value = JSON.parse(readFileSync(lockPath(stateDir), "utf8")) as Partial<Holder>;
    return typeof value.pid === "number" && typeof value.url === "string" ? { pid: value.pid, url: value.url } : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: 2_000 });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.once("timeout", () => settle(false));
  });
}
