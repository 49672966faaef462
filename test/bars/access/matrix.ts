/** Asks for every operation in every scene, and compares what came of it with what is declared. */
import { note } from "../options.ts";
import { makeAddresses } from "../strangers.ts";
import { call, signIn } from "./calls.ts";
import { type Cast, keyOf } from "./cast.ts";
import { isDeclared, type Json, type Operation } from "./policy.ts";
import { type Answered, ask, isAdmitted, type Target } from "./requests.ts";
import { type Scene, scenesOf, wordOf } from "./scenes.ts";

/** Requests under way at a time. */
const atOnce = 8;
/** Fewer than any limit on open operations allows one network address in a minute. */
const usesOfAddress = 20;
const noteEvery = 2_000;
const maxNoted = 50;

/** They end sessions, memberships and the workspace: each begins when all before it is done. */
const last = ["endOtherSessions", "deleteWorkspace", "leaveWorkspace"];

export interface Setting {
  url: string;
  operations: readonly Operation[];
  document: Json;
  /** Only what a violation that begins with this word could come from. */
  only: string | null;
}

export interface Tally {
  requests: number;
  admitted: number;
  /** Of those admitted, the ones whose body or parameters did not fit. */
  malformed: number;
  violations: string[];
}

interface Play extends Setting {
  cast: Cast;
  tally: Tally;
  address(): string;
}

export async function askAll(cast: Cast, setting: Setting): Promise<Tally> {
  const tally: Tally = { requests: 0, admitted: 0, malformed: 0, violations: [] };
  const about = { ...setting, cast, tally, address: makeAddresses(1, usesOfAddress) };
  const scenes = setting.operations
    .flatMap((operation) => scenesOf(cast, operation))
    .filter((scene) => setting.only === null || wordOf(scene) === setting.only);
  await playAll(
    scenes.filter(({ operation }) => !last.includes(operation.id)),
    about,
  );
  for (const id of last)
    await playAll(
      scenes.filter(({ operation }) => operation.id === id),
      about,
    );
  return tally;
}

async function playAll(scenes: Scene[], about: Play): Promise<void> {
  const worker = async () => {
    for (let scene = scenes.shift(); scene; scene = scenes.shift()) await play(scene, about);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function play(scene: Scene, about: Play): Promise<void> {
  const { tally } = about;
  const { operation, player, tenant, selects } = scene;
  const isExpected = isDeclared(operation, player.actor, tenant);
  const { credential, target } = isExpected ? await freshFor(scene, about) : { ...player, ...scene };
  const { url, document, address } = about;
  const answer = await ask({ url, operation, target, document, credential, selects, from: address() });
  // Of staff who selected no workspace it is the one that they asked about that is unknown.
  const isAboutAnother = !selects && player.actor.kind === "staff" && answer.code === "workspace-not-found";
  const isIn = isAdmitted(answer) || isAboutAnother;
  tally.requests += 1;
  if (isIn) tally.admitted += 1;
  if (isIn && answer.code === "validation-failed") tally.malformed += 1;
  if (tally.requests % noteEvery === 0) note(`access: ${tally.requests} requests`);
  // A limit that was reached says nothing about who may ask.
  if (isIn !== isExpected || answer.status === 500 || answer.code === "rate-limited")
    report(tally, wordsFor(scene, { answer, isExpected }));
}

function report(tally: Tally, violation: string): void {
  tally.violations.push(violation);
  if (tally.violations.length <= maxNoted) note(violation);
}

/** These end the session that asks: each gets one of its own. */
const endsSession = /^(?:logout|logoutUser|deleteAccount)$/;

/** What the operation ends is made for it alone; else the next one would be refused because it is gone. */
async function freshFor(
  { operation, player, target }: Scene,
  { url, cast }: Play,
): Promise<{ credential: string | null; target: Target }> {
  const { actor, account, credential } = player;
  if (endsSession.test(operation.id) && account)
    return { target, credential: String((await signIn(url, account)).token) };
  if (operation.id !== "deleteWorkspace") return { target, credential };
  const { owner } = cast;
  const { id } = await call(url, "/v1/workspaces", { token: owner.token, body: { name: "Passing" } });
  const team = { id: String(id), owner };
  const key = actor.kind === "key" ? await keyOf(url, team, { name: "passing", scopes: actor.scopes }) : null;
  return { target: { workspaceId: team.id }, credential: key?.credential ?? credential };
}

function wordsFor(scene: Scene, { answer, isExpected }: { answer: Answered; isExpected: boolean }): string {
  const { operation, player, tenant } = scene;
  const told = `${answer.status} ${answer.code}`.trim();
  const who = `${player.name} in the ${tenant} workspace`;
  return `${wordOf(scene)}: ${operation.method} ${operation.path} (${operation.access}) as ${who} answered ${told}, declared ${isExpected ? "allowed" : "refused"}`;
}
