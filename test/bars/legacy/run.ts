/**
 * The clients of older systems on their own paths: every call that they make, with the fields that they send and the members that they
 * read, and every row of the path table at least once. `npm run bar:legacy`
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Alias } from "../../../src/app/legacy-paths.ts";
import { type Bar, type BarOptions, type BarResult, main, type MutantRun, note } from "../options.ts";
import { openStage, type Patch } from "../stage.ts";
import { startIssuer } from "../sign-in/issuer.ts";
import { replayAccounts } from "./accounts.ts";
import { replayAudioTricks } from "./audio-tricks.ts";
import { type Cast, gather } from "./cast.ts";
import { type LegacyClient, makeClient } from "./client.ts";
import { replayConversions } from "./conversions.ts";
import { replayApiKeys, replayEncryptionKeys, replayPages } from "./keys.ts";
import { replayExtension } from "./extension.ts";
import { replayModels, replayPrompts, replayProviderKeys } from "./models.ts";
import { openProvider } from "./provider.ts";
import { replayFastApi, replayVersionTwo } from "./later-clients.ts";
import { replayPanel } from "./panel.ts";
import { replayProviders } from "./providers.ts";
import { replayAdministration, replaySupport } from "./staff.ts";
import { replaySubscriptions } from "./subscriptions.ts";
import { replayTokens } from "./tokens.ts";
import { replayUsage } from "./usage.ts";
import { replayUsers } from "./users.ts";
import { replayWorkspaces } from "./workspaces.ts";

interface LegacyMutant extends MutantRun {
  patches: Patch[];
  /** The replays that its damage concerns; the others would only repeat what the undamaged run showed. */
  sections: string[];
  /** They need a superadmin. */
  raised?: true;
}

const mutants: LegacyMutant[] = [
  {
    name: "no-wait",
    provenBy: "answer",
    sections: ["version 2"],
    patches: [{ file: "src/app/legacy/conversions.ts", find: '{ prefer: "wait=30" }', replace: "{}" }],
  },
  {
    name: "wrong-shape",
    provenBy: "shape",
    sections: ["accounts"],
    patches: [{ file: "src/app/legacy.ts", find: "answerShapes[answer](value, at)", replace: "value" }],
  },
  {
    name: "compress-truthy",
    provenBy: "compress",
    sections: ["conversions"],
    patches: [{ file: "src/features/conversions/shapes.ts", find: '["false", false]', replace: '["false", true]' }],
  },
  {
    name: "plain-errors",
    provenBy: "error-shape",
    sections: ["users"],
    patches: [{ file: "src/app/legacy.ts", find: 'new Set(["v1/users", ', replace: "new Set([" }],
  },
  {
    name: "other-renewal",
    provenBy: "answer: /v1/admin-panel/login lasts",
    sections: ["panel"],
    raised: true,
    patches: [{ file: "src/core/access.ts", find: "7 * 24 * hourSeconds", replace: "24 * hourSeconds" }],
  },
];

export const bar: Bar = { name: "legacy", mutants, run };

type Section = (client: LegacyClient, cast: Cast) => Promise<unknown>;

/** In the order in which one leaves the next what it needs. */
const sections: Record<string, Section> = {
  pages: replayPages,
  accounts: replayAccounts,
  users: replayUsers,
  extension: replayExtension,
  providers: replayProviders,
  "AudioTricks account": replayAudioTricks,
  // Before anything is sealed: sealing makes the user key that is asked for here.
  "encryption keys": (client, { person }) => replayEncryptionKeys(client, person),
  conversions: (client, { person }) => replayConversions(client, person),
  "version 2": (client, { person }) => replayVersionTwo(client, person),
  usage: replayUsage,
  subscriptions: (client, { url, person }) => replaySubscriptions(client, url, person),
  workspaces: replayWorkspaces,
  "provider keys": (client, { person, provider }) => replayProviderKeys(client, person, provider),
  models: (client, { person }) => replayModels(client, person),
  tokens: (client, { url }) => replayTokens(client, url),
  prompts: (client, { url, person }) => replayPrompts(client, url, person),
  panel: replayPanel,
  support: replaySupport,
  administration: replayAdministration,
  "API keys": async (client, { person }) => replayFastApi(client, await replayApiKeys(client, person)),
};

async function run(_: BarOptions, name: string | null): Promise<BarResult> {
  note(`legacy${name === null ? "" : `, mutant ${name}`}`);
  const mutant = mutants.find((one) => one.name === name);
  const [issuer, provider] = await Promise.all([startIssuer("overtone"), openProvider()]);
  const { clientId, clientSecret, url } = issuer;
  const providers = { google: { clientId, clientSecret, issuer: url } };
  const stage = await openStage(mutant?.patches ?? [], {
    SIGN_IN_PROVIDERS: JSON.stringify(providers),
    OUTBOUND_TENANT_ALLOW: provider.host,
  });
  try {
    const module = pathToFileURL(join(stage.folder, "src/app/legacy-paths.ts")).href;
    const { aliases } = (await import(module)) as { aliases: readonly Alias[] };
    await stage.start();
    const client = makeClient(stage.url, aliases);
    const cast = await gather(client, { stage, issuer, provider, raised: mutant?.raised ?? mutant === undefined });
    await replay(client, cast, mutant?.sections ?? Object.keys(sections));
    const uncalled = mutant ? [] : client.uncalled();
    const violations = [...client.violations, ...uncalled.map((row) => `uncalled: no replay calls ${row}`)];
    const rows = { all: aliases.length, uncalled: uncalled.length };
    return {
      ok: violations.length === 0,
      counts: { calls: client.calls(), checks: client.checks(), rows },
      violations,
    };
  } finally {
    await provider.close();
    await stage.remove();
    await issuer.close();
  }
}

async function replay(client: LegacyClient, cast: Cast, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const begun = performance.now();
    try {
      await sections[name]?.(client, cast);
    } catch (error) {
      client.violations.push(`${name}: ${(error as Error).message}`);
    }
    note(`legacy: ${name}, ${Math.round((performance.now() - begun) / 100) / 10} s`);
  }
}

if (import.meta.main) await main(bar);
