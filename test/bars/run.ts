/** All bars, one after the other; each prints its line. `npm run bars`, with reduced counts `npm run bars -- --quick`. */
import { readOptions, runBar } from "./options.ts";
import { bar as access } from "./access/run.ts";
import { bar as codes } from "./codes/run.ts";
import { bar as billing } from "./billing/run.ts";
import { bar as crash } from "./crash/run.ts";
import { bar as enumeration } from "./enumeration/run.ts";
import { bar as ledger } from "./ledger/run.ts";
import { bar as legacy } from "./legacy/run.ts";
import { bar as mail } from "./mail/run.ts";
import { bar as outbound } from "./outbound/run.ts";
import { bar as signIn } from "./sign-in/run.ts";
import { bar as tokens } from "./tokens/run.ts";

const options = readOptions();
if (options.mutant !== null) throw new RangeError("Name the bar of a mutant: npm run bar:crash -- --mutant=<name>.");
for (const bar of [legacy, access, signIn, tokens, enumeration, codes, mail, outbound, ledger, billing, crash])
  if (!(await runBar(bar, options))) process.exitCode = 1;
