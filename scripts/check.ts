/**
 * Everything that has to hold before a commit: `npm run check`. The steps that read the source run one after the other beside the tests,
 * which leave a processor free now and then. All of them run to their end; what failed is named last. `--without-tests` is for CI, which
 * has run the tests by then.
 */
import { run } from "./processes.ts";

const steps = ["types", "lint", "format:check", "unused", "document:check", "bundle"];

/**
 * For the compiler and the linter, which are written in Go and end within seconds: two thirds of the linter's processor time, and a quarter
 * of the compiler's, went into collecting garbage. They collect none now before they hold 3 GiB (each needs a third of that).
 */
const withoutCollecting = { GOGC: "off", GOMEMLIMIT: "3GiB" };

async function runStep(name: string): Promise<string[]> {
  const { code, output } = await run("npm", ["run", "--silent", name], { shown: false, settings: withoutCollecting });
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

const withTests = !process.argv.includes("--without-tests");
const failed = (await Promise.all([...(withTests ? [runTests()] : []), runSteps()])).flat();
console.log(failed.length === 0 ? "check: passed" : `check: FAILED in ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
