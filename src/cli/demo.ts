/** `npm run demo`: the product's main job on a real recording, through the public HTTP API and nothing else. Exit code 1 if anything is off. */
import { parseArgs } from "node:util";
import { type Account, runDemo } from "./demo-steps.ts";
import { type DevServer, lastLines, readPort, startDevServer } from "./dev-server.ts";
import { supervise } from "./supervise.ts";
import { bold, duration, print, printError, printStep } from "./terminal.ts";

const usage = `npm run demo -- [--exit] [--port 8787] [--persist-to <folder>]

  --exit        stop after the run instead of staying up
  --port        the first port to try; the next free one is taken
  --persist-to  where database, files and objects are kept (default .wrangler/state)`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      exit: { type: "boolean" },
      port: { type: "string" },
      "persist-to": { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    print(usage);
    process.exit(0);
  }
  return {
    exits: values.exit === true,
    port: readPort(values.port),
    persistTo: values["persist-to"],
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  const begun = performance.now();
  print(bold("Overtone demo"));
  const server = await startDevServer(options);
  const supervised = supervise(server);
  printStep(
    "server",
    `${server.url}, with its database, storage, objects and queues`,
    duration(performance.now() - begun),
  );
  try {
    const account = await runDemo(server.url);
    print(`\nAll steps passed in ${duration(performance.now() - begun)}.`);
    if (options.exits) return await supervised.exit(0);
    printGoodbye(server, account);
  } catch (error) {
    printError(`\nThe demo failed: ${(error as Error).message}\n${lastLines(server.logFile, 15)}`);
    await supervised.exit(1);
  }
}

function printGoodbye(server: DevServer, account: Account): void {
  print();
  print(bold("The server stays up. Ctrl-C ends it."));
  printStep("API", server.url);
  printStep("reference", `${server.url}/reference`);
  printStep("account", `${account.email}  ${account.password}`);
  printStep("API key", account.apiKey);
  print();
  print(`  curl ${server.url}/v1/files -H 'Authorization: Bearer ${account.apiKey}'`);
  print(`  curl ${server.url}/v1/conversions/${account.conversionId} -H 'Authorization: Bearer ${account.apiKey}'`);
  print(
    `  curl -o images.zip ${server.url}/v1/conversions/${account.conversionId}/download-zip -H 'Authorization: Bearer ${account.apiKey}'`,
  );
}

if (import.meta.main) {
  await main().catch((error: Error) => {
    printError(error.message);
    process.exit(1);
  });
}
