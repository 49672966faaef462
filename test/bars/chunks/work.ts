/** Cuts the files named on its command line and writes the chunks beside a plan of each; run by the bar, on the product or on a damaged copy. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { probe } from "#lib/audio/probe";
import { rangesOfBytes } from "#lib/audio/ranges";
import { planChunks, readChunk } from "#lib/audio/split";

const [folder = "", secondsMax = "", ...files] = process.argv.slice(2);
const limits = { chunkBytesMax: 16 * 1024 * 1024, chunkSecondsMax: Number(secondsMax), overlapSeconds: 1 };
for (const file of files) {
  const source = rangesOfBytes(readFileSync(file));
  const outcome = await probe(source, "");
  if (!outcome.ok) throw new Error(`${basename(file)}: ${outcome.detail}`);
  const plans = await planChunks(source, outcome.facts, limits);
  for (const plan of plans)
    writeFileSync(join(folder, `${basename(file)}.${plan.index}.${plan.fileExtension}`), await readChunk(source, plan));
  writeFileSync(join(folder, `${basename(file)}.json`), JSON.stringify({ facts: outcome.facts, plans }));
}
