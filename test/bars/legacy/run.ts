/**
 * The clients of older systems on their own paths: every call that they make, with the fields that they send and the members that they
 * read, and every row of the path table at least once. `npm run bar:legacy`
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Alias } from "../../../src/app/legacy-paths.ts";
import { type Bar, type BarOptions, type BarResult, main, type MutantRun, note } from "../options.ts";
import { openStage, type Patch, type Stage } from "../stage.ts";
import { liftLimits } from "../state.ts";
import { register, replayAccounts } from "./accounts.ts";
import { type LegacyClient, makeClient } from "./client.ts";
import { replayConversions } from "./conversions.ts";
import { replayApiKeys, replayEncryptionKeys, replayPages } from "./keys.ts";
import { replaySubscriptions } from "./subscriptions.ts";
import { replayFastApi, replayVersionTwo } from "./later-clients.ts";
import { replayExtension, replayUsers } from "./users.ts";
import { replayWorkspaces } from "./workspaces.ts";

interface LegacyMutant extends MutantRun {
  patches: Patch[];
}

const mutants: LegacyMutant[] = [
  {
    name: "no-wait",
    provenBy: "answer",
    patches: [{ file: "src/app/legacy/conversions.ts", find: '{ prefer: "wait=30" }', replace: "{}" }],
  },
  {
    name: "wrong-shape",
    provenBy: "shape",
    patches: [{ file: "src/app/legacy.ts", find: "answerShapes[alias.answer](value, at)", replace: "value" }],
  },
  {
    name: "compress-truthy",
    provenBy: "compress",
    patches: [{ file: "src/features/conversions/shapes.ts", find: '["false", false]', replace: '["false", true]' }],
  },
];

export const bar: Bar = { name: "legacy", mutants, run };

type Section = (client: LegacyClient) => Promise<void>;

async function run(_: BarOptions, name: string | null): Promise<BarResult> {
  note(`legacy${name === null ? "" : `, mutant ${name}`}`);
  const stage = await openStage(mutants.find((mutant) => mutant.name === name)?.patches ?? []);
  try {
    const module = pathToFileURL(join(stage.folder, "src/app/legacy-paths.ts")).href;
    const { aliases } = (await import(module)) as { aliases: readonly Alias[] };
    await stage.start();
    const client = makeClient(stage.url, aliases);
    await replay(stage, client);
    const uncalled = client.uncalled();
    const violations = [...client.violations, ...uncalled.map((row) => `uncalled: no replay calls ${row}`)];
    const rows = {
      A: aliases.filter(({ system }) => system === "A").length,
      all: aliases.length,
      uncalled: uncalled.length,
    };
    return {
      ok: violations.length === 0,
      counts: { calls: client.calls(), checks: client.checks(), rows },
      violations,
    };
  } finally {
    await stage.remove();
  }
}

async function replay(stage: Stage, client: LegacyClient): Promise<void> {
  const person = await register(client);
  // A free account may convert ten times an hour; the replay does so more often.
  await stage.stop();
  liftLimits(stage.stateDir);
  await stage.start();
  const sections: Record<string, Section> = {
    pages: replayPages,
    accounts: replayAccounts,
    users: replayUsers,
    extension: (calls) => replayExtension(calls, stage),
    // Before anything is sealed: sealing makes the user key that is asked for here.
    "encryption keys": (calls) => replayEncryptionKeys(calls, person),
    conversions: (calls) => replayConversions(calls, person),
    "version 2": (calls) => replayVersionTwo(calls, person),
    subscriptions: (calls) => replaySubscriptions(calls, stage.url, person),
    workspaces: (calls) => replayWorkspaces(calls, person, stage),
    "API keys": async (calls) => replayFastApi(calls, await replayApiKeys(calls, person)),
  };
  for (const [name, section] of Object.entries(sections)) {
    try {
      await section(client);
    } catch (error) {
      client.violations.push(`${name}: ${(error as Error).message}`);
    }
  }
}

if (import.meta.main) await main(bar);
