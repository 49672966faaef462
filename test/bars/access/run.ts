/**
 * The authorization matrix, made from the published document: every operation as everybody who may ask - roles, keys by scope, sub-users,
 * staff by level, strangers, nobody - in the own, a foreign and a deleted workspace does what the document declares. `npm run bar:access`
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Bar, type BarOptions, type BarResult, main, note } from "../options.ts";
import { makeChance } from "../random.ts";
import { openStage } from "../stage.ts";
import { prepare } from "./cast.ts";
import { askAll } from "./matrix.ts";
import { mutants } from "./mutants.ts";
import { type Json, type Operation, readOperations, undeclared } from "./policy.ts";
import { openProvider } from "./provider.ts";
import { findLeaks } from "./resources.ts";

export const bar: Bar = { name: "access", mutants, run };

/** In a quick run and for a mutant, of the operations with the same access this many. */
const eachQuick = 1;

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  note(`access${variant === null ? "" : `, mutant ${variant}`}, seed ${options.seed}`);
  const mutant = mutants.find(({ name }) => name === variant) ?? null;
  const only = mutant?.provenBy ?? null;
  const provider = await openProvider();
  const stage = await openStage(mutant?.patches ?? [], provider.vars);
  try {
    const document = JSON.parse(readFileSync(join(stage.folder, "docs/openapi.json"), "utf8")) as Json;
    const published = readOperations(document);
    const lacking = undeclared(published).map(({ method, path }) => `undeclared: ${method} ${path} has no policy`);
    if (only === "undeclared") return { ok: lacking.length === 0, violations: lacking };
    const isReduced = options.quick || mutant !== null;
    const operations = isReduced ? sample(published, options.seed) : published;
    const { cast, bringTo } = await prepare();
    bringTo(stage);
    await stage.start();
    const about = { url: stage.url, document };
    const named = namingThings(published, { only, isReduced });
    const leaks = await findLeaks(cast, { ...about, operations: named, providerUrl: provider.url });
    const matrix = await askAll(cast, { ...about, operations: only === "resource" ? [] : operations, only });
    const violations = [...lacking, ...leaks.violations, ...matrix.violations];
    return {
      ok: violations.length === 0,
      counts: {
        published: published.length,
        operations: operations.length,
        players: cast.players.length + cast.ghosts.length,
        requests: matrix.requests + leaks.requests,
        admitted: matrix.admitted,
        refused: matrix.requests - matrix.admitted,
        malformed: matrix.malformed,
        withForeignIds: leaks.operations,
        unreadForeignIds: leaks.unread,
      },
      violations,
    };
  } finally {
    await stage.remove();
    provider.close();
  }
}

const simplest = [
  "getApiKey",
  "changeApiKey",
  "getSubUser",
  "getResponse",
  "deleteResponse",
  "listResponseInputItems",
  "resumeStream",
  "getBatch",
  "getProviderKey",
  "changeProviderKey",
  "deleteProviderKey",
  "testProviderKey",
  "getProviderKeyUsage",
];

function namingThings(published: Operation[], { only, isReduced }: { only: string | null; isReduced: boolean }) {
  if (only !== null && only !== "resource") return [];
  return isReduced ? published.filter(({ id }) => simplest.includes(id)) : published;
}

function sample(operations: readonly Operation[], seed: number): Operation[] {
  const chance = makeChance(seed);
  const taken = new Map<string, number>();
  return chance.shuffle([...operations]).filter(({ access }) => {
    const count = (taken.get(access) ?? 0) + 1;
    taken.set(access, count);
    return count <= eachQuick;
  });
}

if (import.meta.main) await main(bar);
