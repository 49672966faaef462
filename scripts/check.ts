/**
 * Everything that has to hold before a commit: `npm run check`. The steps that read the source run one after the other beside the tests,
 * which leave a processor free now and then. All of them run to their end; what failed is named last.
 */
import { run } from "./processes.ts";

const steps = ["types", "lint", "format:check", "unused", "document:check", "bundle"];

async function runStep(name: string): Promise<string[]> {
  const { code, output } = await run("npm", ["run", "--silent", name], { shown: false });
  process.stdout.write(`${code === 0 ? "passed" : "FAILED"}: ${name}\n${output}`);
  return code === 0 ? [] : [name];
}

async function runSteps(): Promise<string[]> {
  const failed: string[] = [];
  for (const name of steps) failed.push(...(await runStep(name)));
  return failed;
}

async function runTests(): Promise<string[]> {
  const { code } = await run("npm", ["test", "--silent"], { shown: true });
  return code === 0 ? [] : ["test"];
}

const failed = (await Promise.all([runTests(), runSteps()])).flat();
console.log(failed.length === 0 ? "check: passed" : `check: FAILED in ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
