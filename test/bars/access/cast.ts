/**
 * Everybody who may ask: two workspaces with all roles, a sub-user and keys for every scope, one of which is deleted; staff of every
 * level; a stranger. They are made once, by the product as it is; the run and each of its mutants begin with a copy of that state.
 */
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  globalRoles,
  type Permission,
  permissionNames,
  supportLevels,
  type WorkspaceRole,
  workspaceRoles,
} from "../../../src/core/access.ts";
import { type Person, signUp } from "../people.ts";
import { openStage, type Stage } from "../stage.ts";
import { changeState, liftLimits } from "../state.ts";
import { call, signIn } from "./calls.ts";
import type { Actor } from "./policy.ts";
import { rowsOf } from "./things.ts";

export interface Player {
  name: string;
  actor: Actor;
  credential: string | null;
  /** Signs the person in again. */
  account?: { email: string; password: string };
  /** Where a request without a header acts; null: it names the workspace by header. */
  home: string | null;
}

export interface Cast {
  teamId: string;
  foreignId: string;
  deletedId: string;
  owner: Person;
  /** Members of the team who do not ask: they are asked about. */
  extras: Person[];
  foreigner: Person;
  players: Player[];
  /** The same roles, sub-user and keys of the workspace that was deleted. */
  ghosts: Player[];
}

const staffOf = [
  ...supportLevels.map((supportLevel) => ({ role: "support", supportLevel }) as const),
  ...globalRoles
    .filter((role) => role === "admin" || role === "superadmin")
    .map((role) => ({ role, supportLevel: null })),
];

interface Team {
  id: string;
  owner: Person;
}

export async function keyOf(
  url: string,
  team: Team,
  { name, scopes }: { name: string; scopes: readonly Permission[] },
) {
  const options = { token: team.owner.token, workspaceId: team.id, body: { name, scopes } };
  const { key } = await call(url, "/v1/api-keys", options);
  return { name: `key with ${name}`, actor: { kind: "key" as const, scopes }, credential: String(key), home: team.id };
}

/** A key with all scopes, for each scope a key with that alone and, for the living team, one with all but that. */
async function keysOf(url: string, team: Team, options: { withOpposites: boolean }): Promise<Player[]> {
  const players: Player[] = [await keyOf(url, team, { name: "all", scopes: permissionNames })];
  for (const scope of permissionNames) {
    players.push(await keyOf(url, team, { name: `${scope} alone`, scopes: [scope] }));
    if (!options.withOpposites) continue;
    const scopes = permissionNames.filter((name) => name !== scope);
    players.push(await keyOf(url, team, { name: `all but ${scope}`, scopes }));
  }
  return players;
}

async function subUserOf(url: string, team: Team): Promise<Player> {
  const credentials = {
    email: `sub-${randomBytes(8).toString("hex")}@example.com`,
    password: randomBytes(18).toString("base64url"),
  };
  const limits = { requests_per_minute: 1_000, requests_per_hour: 10_000, max_concurrent_requests: 50 };
  const options = { token: team.owner.token, workspaceId: team.id, body: { ...credentials, limits } };
  await call(url, "/v1/sub-users", options);
  const login = await signIn(url, credentials);
  const credential = String(login.token);
  return { name: "sub-user", actor: { kind: "sub-user" }, credential, account: credentials, home: null };
}

function playerOf(person: Person, role: WorkspaceRole): Player {
  const { token: credential, email, password } = person;
  return { name: role, actor: { kind: "member", role }, credential, account: { email, password }, home: null };
}

interface Prepared {
  cast: Cast;
  /** Brings the state to a stage that was not started yet. */
  bringTo(stage: Stage): void;
}

let prepared: Promise<Prepared> | null = null;

/** The same for every run of this process. */
export function prepare(): Promise<Prepared> {
  prepared ??= prepareOnce();
  return prepared;
}

const stateDir = ".wrangler/state";

async function prepareOnce(): Promise<Prepared> {
  const stage = await openStage();
  try {
    const cast = await makeCast(stage);
    const kept = mkdtempSync(join(tmpdir(), "overtone-cast-"));
    process.once("exit", () => rmSync(kept, { recursive: true, force: true }));
    // What the product encrypted and keyed needs the secrets that it was made with.
    for (const name of [stateDir, ".dev.vars"]) cpSync(join(stage.folder, name), join(kept, name), { recursive: true });
    return { cast, bringTo: ({ folder }) => cpSync(kept, folder, { recursive: true }) };
  } finally {
    await stage.remove();
  }
}

/** Leaves the server stopped. */
async function makeCast(stage: Stage): Promise<Cast> {
  await stage.start();
  const many = async (count: number) => {
    const people: Person[] = [];
    while (people.length < count) people.push(await signUp(stage.url));
    return people;
  };
  const [team, ghost] = [await many(workspaceRoles.length), await many(workspaceRoles.length)];
  const [staff, extras] = [await many(staffOf.length), await many(1)];
  const [stranger, foreigner] = await many(2);
  const [owner, ghostOwner] = [team[0], ghost[0]];
  if (!owner || !ghostOwner || !stranger || !foreigner) throw new Error("The cast is too small.");
  const found = async (name: string, { token }: Person) =>
    String((await call(stage.url, "/v1/workspaces", { token, body: { name } })).id);
  const teamId = await found("Team", owner);
  const foreignId = await found("Others", foreigner);
  const deletedId = await found("Ghosts", ghostOwner);
  await stage.stop();
  liftLimits(stage.stateDir);
  changeState(stage.stateDir, [
    ...joining(teamId, [...team, ...extras]),
    ...joining(deletedId, ghost),
    // More members than the plan has, with room for those who are invited, and more asked of models.
    {
      sql: `UPDATE workspaces SET limit_overrides = json_set(limit_overrides, '$.members', NULL, '$.aiTokensPerMonth', NULL,
        '$.chatRequestsPerMinute', NULL, '$.batchRequestsPerMinute', NULL)`,
      values: [],
    },
    ...rowsOf(owner.userId),
    ...staff.map(({ userId }, index) => ({
      sql: "UPDATE users SET role = ?, support_level = ? WHERE id = ?",
      values: [staffOf[index]?.role ?? "user", staffOf[index]?.supportLevel ?? null, userId],
    })),
  ]);
  await stage.start();
  const players: Player[] = [
    { name: "nobody", actor: { kind: "nobody" }, credential: null, home: null },
    { name: "stranger", actor: { kind: "stranger" }, credential: stranger.token, home: null },
    ...team.map((person, index) => playerOf(person, workspaceRoles[index] ?? "viewer")),
    await subUserOf(stage.url, { id: teamId, owner }),
    ...staff.map((person, index) => {
      const about = staffOf[index] ?? { role: "user" as const, supportLevel: null };
      const name = `${about.role} ${about.supportLevel ?? ""}`.trim();
      return { name, actor: { kind: "staff" as const, staff: about }, credential: person.token, home: null };
    }),
    ...(await keysOf(stage.url, { id: teamId, owner }, { withOpposites: true })),
  ];
  const ghosts: Player[] = [
    ...ghost.map((person, index) => playerOf(person, workspaceRoles[index] ?? "viewer")),
    await subUserOf(stage.url, { id: deletedId, owner: ghostOwner }),
    ...(await keysOf(stage.url, { id: deletedId, owner: ghostOwner }, { withOpposites: false })),
  ];
  await call(stage.url, `/v1/workspaces/${deletedId}`, { token: ghostOwner.token, method: "DELETE" });
  await stage.stop();
  return { teamId, foreignId, deletedId, owner, extras, foreigner, players, ghosts };
}

/** The first one is the owner already; those beyond the roles become viewers. */
function joining(workspaceId: string, people: readonly Person[]) {
  return people.slice(1).map(({ userId }, index) => ({
    sql: "INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES (?, ?, ?, 0)",
    values: [workspaceId, userId, workspaceRoles[index + 1] ?? "viewer"],
  }));
}
