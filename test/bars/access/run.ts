/**
 * The authorization matrix, made from the published document: every operation as everybody who may ask - roles, keys by scope, sub-users,
 * staff by level, strangers, nobody - in the own, a foreign and a deleted workspace does what the document declares. `npm run bar:access`
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isPermission, type Permission } from "../../../src/core/access.ts";
import { type Bar, type BarOptions, type BarResult, main, note } from "../options.ts";
import { makeChance } from "../random.ts";
import { openStage } from "../stage.ts";
import { type Cast, makeCast, type Player, signIn } from "./cast.ts";
import { mutants } from "./mutants.ts";
import { isDeclared, type Json, type Operation, readOperations, type Tenant, undeclared } from "./policy.ts";
import { type Answered, ask, isAdmitted, type Target } from "./requests.ts";
import { findLeaks } from "./resources.ts";

export const bar: Bar = { name: "access", mutants, run };

/** In a quick run and for a mutant, of the operations with the same access this many. */
const eachQuick = 1;
/** Requests under way at a time. */
const atOnce = 6;

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  note(`access${variant === null ? "" : `, mutant ${variant}`}, seed ${options.seed}`);
  const mutant = mutants.find(({ name }) => name === variant) ?? null;
  const stage = await openStage(mutant?.patches ?? []);
  try {
    const document = JSON.parse(readFileSync(join(stage.folder, "docs/openapi.json"), "utf8")) as Json;
    const published = readOperations(document);
    const lacking = undeclared(published).map(({ method, path }) => `undeclared: ${method} ${path} has no policy`);
    if (mutant?.provenBy === "undeclared") return { ok: lacking.length === 0, violations: lacking };
    const isReduced = options.quick || variant !== null;
    const operations = inOrder(isReduced ? sample(published, options.seed) : published);
    const scopes = [...new Set(operations.map(({ access }) => access as Permission).filter(isPermission))];
    const cast = await makeCast(stage, mutant && mutant.provenBy !== "scope" ? [] : scopes);
    const about = { url: stage.url, document };
    const leaks = await findLeaks(cast, { ...about, operations: isReduced ? readAndChanged(published) : published });
    const only = mutant?.provenBy ?? null;
    const matrix = await askAll(cast, { ...about, operations: only === "resource" ? [] : operations, only });
    const violations = [...lacking, ...leaks.violations, ...matrix.violations];
    return {
      ok: violations.length === 0,
      counts: {
        published: published.length,
        operations: operations.length,
        requests: matrix.requests + leaks.requests,
        admitted: matrix.admitted,
        refused: matrix.requests - matrix.admitted,
      },
      violations,
    };
  } finally {
    await stage.remove();
  }
}

const readAndChanged = (operations: readonly Operation[]) =>
  operations.filter(({ id }) => id === "getApiKey" || id === "changeApiKey" || id === "getSubUser");

function sample(operations: readonly Operation[], seed: number): Operation[] {
  const chance = makeChance(seed);
  const taken = new Map<string, number>();
  return chance.shuffle([...operations]).filter(({ access }) => {
    const count = (taken.get(access) ?? 0) + 1;
    taken.set(access, count);
    return count <= eachQuick;
  });
}

/** What takes somebody out of the workspace comes after all else. */
const last = ["leaveWorkspace", "deleteWorkspace"];

function inOrder(operations: readonly Operation[]): Operation[] {
  return operations.toSorted((a, b) => last.indexOf(a.id) - last.indexOf(b.id));
}

/** These end the session that asks: each gets one of its own. */
const endsSession = (operation: Operation) =>
  operation.access === "session" && /logout|deleteAccount/i.test(operation.id);

interface Setting {
  url: string;
  operations: readonly Operation[];
  document: Json;
  /** Only what a violation that begins with this word could come from. */
  only: string | null;
}

async function askAll(cast: Cast, setting: Setting) {
  const tally = { requests: 0, admitted: 0, violations: [] as string[] };
  for (const operation of setting.operations) {
    const scenes = scenesOf(cast, operation).filter((scene) => setting.only === null || wordOf(scene) === setting.only);
    const workers = Array.from({ length: last.includes(operation.id) ? 1 : atOnce }, async () => {
      for (let scene = scenes.shift(); scene; scene = scenes.shift()) await play(scene, operation, { setting, tally });
    });
    await Promise.all(workers);
  }
  return tally;
}

async function play(
  scene: Scene,
  operation: Operation,
  { setting, tally }: { setting: Setting; tally: { requests: number; admitted: number; violations: string[] } },
): Promise<void> {
  const { url, document } = setting;
  const { player, tenant, target, selects } = scene;
  const credential = await credentialFor(url, operation, scene);
  const answer = await ask({ url, operation, target, document, credential, selects });
  const isExpected = isDeclared(operation, player.actor, tenant);
  // Of staff who selected no workspace it is the one that they asked about that is unknown.
  const isAboutAnother = !selects && player.actor.kind === "staff" && answer.code === "workspace-not-found";
  const isIn = isAdmitted(answer) || isAboutAnother;
  tally.requests += 1;
  if (isIn) tally.admitted += 1;
  if (isIn !== isExpected || answer.status === 500)
    tally.violations.push(wordsFor(operation, scene, { answer, isExpected }));
}

async function credentialFor(
  url: string,
  operation: Operation,
  { player, tenant }: { player: Player; tenant: Tenant },
) {
  if (tenant !== "own" || !player.account || !endsSession(operation)) return player.credential;
  return String((await signIn(url, player.account)).token);
}

interface Scene {
  player: Player;
  tenant: Tenant;
  target: Target;
  selects: boolean;
}

function scenesOf(cast: Cast, operation: Operation): Scene[] {
  const players = cast.players.filter((player) => isConcerned(operation, player));
  // Nothing of an open operation depends on who asks.
  if (operation.access === "public") return players.slice(0, 1).map((player) => sceneOf(cast, player, "own"));
  const foreign = players.filter(({ actor }) => actor.kind !== "nobody");
  return [
    ...players.map((player) => sceneOf(cast, player, "own", operation)),
    ...foreign.map((player) => sceneOf(cast, player, "foreign")),
    ...cast.ghosts.map((player) => sceneOf(cast, player, "deleted")),
  ];
}

/** Of the keys made for single scopes, those for the scope that is asked for. */
function isConcerned(operation: Operation, { actor, name }: Player): boolean {
  if (actor.kind !== "key" || name === "key with all") return true;
  return name.endsWith(` ${operation.access} alone`) || name.endsWith(` but ${operation.access}`);
}

function sceneOf(cast: Cast, player: Player, tenant: Tenant, operation?: Operation): Scene {
  const workspaceId = { own: cast.teamId, foreign: cast.foreignId, deleted: cast.deletedId }[tenant];
  const isAtHome = player.home === workspaceId;
  // What staff do belongs to no workspace: they act in their own.
  const isStaffWork = player.actor.kind === "staff" && operation?.access.startsWith("staff:") === true;
  return { player, tenant, target: { workspaceId }, selects: !isAtHome && !isStaffWork && player.credential !== null };
}

const wordOfActor: Record<string, string> = { key: "scope", "sub-user": "sub-user", staff: "staff" };

function wordOf({ player, tenant }: Scene): string {
  return tenant === "own" ? (wordOfActor[player.actor.kind] ?? "role") : tenant;
}

function wordsFor(operation: Operation, scene: Scene, found: { answer: Answered; isExpected: boolean }): string {
  const { answer, isExpected } = found;
  const told = `${answer.status} ${answer.code}`.trim();
  const who = `${scene.player.name} in the ${scene.tenant} workspace`;
  return `${wordOf(scene)}: ${operation.method} ${operation.path} (${operation.access}) as ${who} answered ${told}, declared ${isExpected ? "allowed" : "refused"}`;
}

if (import.meta.main) await main(bar);
