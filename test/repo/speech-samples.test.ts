/** The table of the simulated recogniser is what the sample recordings say. */
import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

it("knows the samples as they are", () => {
  const run = () => execFileSync(process.execPath, ["scripts/speech-samples.ts", "--check"], { encoding: "utf8" });
  expect(run()).toBe("");
});
