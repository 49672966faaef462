/** All bars, one after the other; each prints its line. `npm run bars`, with reduced counts `npm run bars -- --quick`, some of them `npm run bars -- legacy crash`. */
import { readOptions, runBar } from "./options.ts";
import { bar as access } from "./access/run.ts";
import { bar as codes } from "./codes/run.ts";
import { bar as billing } from "./billing/run.ts";
import { bar as chunks } from "./chunks/run.ts";
import { bar as crash } from "./crash/run.ts";
import { bar as enumeration } from "./enumeration/run.ts";
import { bar as gateway } from "./gateway/run.ts";
import { bar as ledger } from "./ledger/run.ts";
import { bar as legacy } from "./legacy/run.ts";
import { bar as mail } from "./mail/run.ts";
import { bar as outbound } from "./outbound/run.ts";
import { bar as signIn } from "./sign-in/run.ts";
import { bar as tokens } from "./tokens/run.ts";

const bars = [
  legacy,
  access,
  signIn,
  tokens,
  enumeration,
  codes,
  mail,
  outbound,
  ledger,
  gateway,
  billing,
  crash,
  chunks,
];
const given = process.argv.slice(2);
const names = given.filter((word) => !word.startsWith("--"));
const unknown = names.filter((name) => bars.every((bar) => bar.name !== name));
if (unknown.length > 0)
  throw new RangeError(`No bar ${unknown.join(", ")}: ${bars.map(({ name }) => name).join(", ")}.`);
const options = readOptions(given.filter((word) => word.startsWith("--")));
if (options.mutant !== null) throw new RangeError("Name the bar of a mutant: npm run bar:crash -- --mutant=<name>.");
for (const bar of bars)
  if (names.length === 0 || names.includes(bar.name)) if (!(await runBar(bar, options))) process.exitCode = 1;
