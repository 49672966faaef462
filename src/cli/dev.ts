/** `npm run dev`: the Worker for development, with its cron ticker, until Ctrl-C. */
import { parseArgs } from "node:util";
import { readPort, startDevServer } from "./dev-server.ts";
import { supervise } from "./supervise.ts";
import { bold, duration, print, printError, printStep } from "./terminal.ts";

const usage = `npm run dev -- [--port 8787] [--persist-to <folder>] [--verbose]

  --port        the first port to try; the next free one is taken
  --persist-to  where database, files and objects are kept (default .wrangler/state)
  --verbose     show wrangler's log here instead of in .wrangler/dev.log`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      port: { type: "string" },
      "persist-to": { type: "string" },
      verbose: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    print(usage);
    process.exit(0);
  }
  return {
    port: readPort(values.port),
    persistTo: values["persist-to"],
    quiet: !values.verbose,
  };
}

async function main(): Promise<void> {
  const begun = performance.now();
  const server = await startDevServer(readOptions());
  supervise(server);
  print(`${bold("Overtone")} is ready after ${duration(performance.now() - begun)}. Ctrl-C ends it.`);
  printStep("API", server.url);
  printStep("reference", `${server.url}/reference`);
  printStep("status", `${server.url}/v1/status`);
  printStep("log", server.logFile);
}

if (import.meta.main) {
  await main().catch((error: Error) => {
    printError(error.message);
    process.exit(1);
  });
}
