/** What a bar is asked for on its command line, and the one line of JSON that it answers with. A run is repeatable by its seed. */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

export interface BarOptions {
  seed: number;
  /** Reduced counts; they stand in the answer. */
  quick: boolean;
  /** Run this mutant alone: the bar has to fail then. */
  mutant: string | null;
}

export interface MutantResult {
  name: string;
  /** The mutant was caught, by the check that is there for it. */
  failedAsItShould: boolean;
  seen: string[];
}

export interface BarResult {
  ok: boolean;
  /** What was found wrong; empty when `ok`. */
  violations: string[];
  [figure: string]: unknown;
}

export function readOptions(args: string[] = process.argv.slice(2)): BarOptions {
  const { values } = parseArgs({
    args,
    options: { seed: { type: "string" }, quick: { type: "boolean", default: false }, mutant: { type: "string" } },
    strict: true,
  });
  const seed = values.seed === undefined ? randomInt(2 ** 32) : Number(values.seed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError("--seed is a whole number.");
  return { seed, quick: values.quick, mutant: values.mutant ?? null };
}

/** A mutant that is run: the bar itself on a damaged copy of the product. */
export interface MutantRun {
  name: string;
  /** A violation that begins with this word proves that the damage was seen; another failure proves nothing. */
  provenBy: string;
}

export interface Bar {
  name: string;
  mutants: readonly MutantRun[];
  /** The name of the run under the mutants' conditions without any damage: it has to pass. Left out of a quick run. */
  control?: string;
  /** `variant` null runs the product as it is. */
  run(options: BarOptions, variant: string | null): Promise<BarResult>;
}

/** Runs a bar and its mutants, prints its line and returns whether all went as it should. */
export async function runBar(bar: Bar, options: BarOptions): Promise<boolean> {
  const begun = performance.now();
  const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
  if (options.mutant !== null) {
    const known = [...bar.mutants.map(({ name }) => name), ...(bar.control === undefined ? [] : [bar.control])];
    if (!known.includes(options.mutant))
      throw new RangeError(`${bar.name} has no mutant ${options.mutant}, only ${known.join(", ")}.`);
    const result = await bar.run(options, options.mutant);
    print({
      bar: bar.name,
      seed: options.seed,
      quick: options.quick,
      mutant: options.mutant,
      ...result,
      seconds: seconds(),
    });
    return result.ok;
  }
  const result = await bar.run(options, null);
  const ownSeconds = seconds();
  const control = bar.control === undefined || options.quick ? null : await bar.run(options, bar.control);
  const mutants: MutantResult[] = [];
  for (const mutant of bar.mutants) mutants.push(await prove(bar, options, mutant));
  const ok = result.ok && control?.ok !== false && mutants.every(({ failedAsItShould }) => failedAsItShould);
  print({
    bar: bar.name,
    seed: options.seed,
    quick: options.quick,
    ...result,
    ok,
    seconds: ownSeconds,
    ...(control ? { control: { ok: control.ok, seen: control.violations.slice(0, 3) } } : {}),
    mutants,
    secondsWithMutants: seconds(),
  });
  return ok;
}

async function prove(bar: Bar, options: BarOptions, { name, provenBy }: MutantRun): Promise<MutantResult> {
  try {
    const { ok, violations } = await bar.run(options, name);
    const proof = violations.filter((violation) => violation.startsWith(provenBy));
    return {
      name,
      failedAsItShould: !ok && proof.length > 0,
      seen: [...new Set([...proof, ...violations])].slice(0, 2),
    };
  } catch (error) {
    // A mutant that cannot be run (its patch no longer fits, the server does not start) proves nothing.
    return { name, failedAsItShould: false, seen: [(error as Error).message] };
  }
}

const maxShown = 20;

function print(line: Record<string, unknown> & BarResult): void {
  const { length } = line.violations;
  if (length > maxShown) line.violations = [...line.violations.slice(0, maxShown), `and ${length - maxShown} more`];
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** For people who wait; the answer itself is the one line on standard output. */
export function note(message: string): void {
  process.stderr.write(`${message}\n`);
}

/** The entry of a bar's file: exit code 1 when it did not hold. */
export async function main(bar: Bar): Promise<void> {
  try {
    process.exitCode = (await runBar(bar, readOptions())) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${(error as Error).stack}\n`);
    process.exitCode = 1;
  }
}
