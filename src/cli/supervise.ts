/** Ties a server to this process: whichever ends, for whatever reason, the other does not stay behind. */
import { type DevServer, lastLines } from "./dev-server.ts";
import { print, printError } from "./terminal.ts";

export interface Supervised {
  /** Stops the server, then this process. */
  exit(code: number): Promise<never>;
}

/** Ends both on Ctrl-C, a closed terminal or a polite kill; a server that ends by itself is an error. */
export function supervise(server: DevServer): Supervised {
  let stopping: Promise<never> | undefined;
  const exit = (code: number): Promise<never> => {
    stopping ??= server.stop().then(() => process.exit(code));
    return stopping;
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (!stopping) print("\nStopping the server.");
      void exit(0);
    });
  }
  void server.ended.then((end) => {
    if (stopping) return;
    printError(`The server ended by itself (${end.signal ?? `exit code ${end.code}`}).\n${lastLines(server.logFile)}`);
    process.exit(1);
  });
  return { exit };
}
