/** Everybody who may ask: two workspaces with all roles, sub-users and keys, one of which is deleted; staff of every level; a stranger. */
import { randomBytes } from "node:crypto";
import {
  globalRoles,
  type Permission,
  permissionNames,
  supportLevels,
  type WorkspaceRole,
  workspaceRoles,
} from "../../../src/core/access.ts";
import { type Person, startWithPeople } from "../people.ts";
import type { Stage } from "../stage.ts";
import { changeState } from "../state.ts";
import type { Actor, Json } from "./policy.ts";

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

export async function call(url: string, path: string, options: { token: string; body?: object; workspaceId?: string }) {
  const answer = await fetch(`${url}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${options.token}`,
      "content-type": "application/json",
      ...(options.workspaceId === undefined ? {} : { "x-workspace-id": options.workspaceId }),
    },
    body: JSON.stringify(options.body ?? {}),
  });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Json;
}

/** Keys with the scopes of a list alone, and with all but those. */
async function keysOf(url: string, team: { id: string; owner: Person; scopes: readonly Permission[] }) {
  const make = async (name: string, scopes: readonly Permission[]): Promise<Player> => {
    const options = { token: team.owner.token, workspaceId: team.id, body: { name, scopes } };
    const { key } = await call(url, "/v1/api-keys", options);
    return { name: `key with ${name}`, actor: { kind: "key", scopes }, credential: String(key), home: team.id };
  };
  const players = [await make("all", permissionNames)];
  for (const scope of team.scopes) {
    players.push(await make(`${scope} alone`, [scope]));
    players.push(
      await make(
        `all but ${scope}`,
        permissionNames.filter((name) => name !== scope),
      ),
    );
  }
  return players;
}

async function subUserOf(url: string, team: { id: string; owner: Person }): Promise<Player> {
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

export async function signIn(url: string, credentials: object): Promise<Json> {
  const answer = await fetch(`${url}/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...credentials, sessionKind: "opaque" }),
  });
  if (!answer.ok) throw new Error(`sign-in answered ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function playerOf(person: Person, role: WorkspaceRole): Player {
  const { token: credential, email, password } = person;
  return { name: role, actor: { kind: "member", role }, credential, account: { email, password }, home: null };
}

/** `scopes`: those that keys are made for one by one; the operations need no others. */
export async function makeCast(stage: Stage, scopes: readonly Permission[]): Promise<Cast> {
  const people = await startWithPeople(stage, workspaceRoles.length * 2 + staffOf.length + 2);
  const next = () => {
    const person = people.shift();
    if (!person) throw new Error("The cast is too small.");
    return person;
  };
  const [team, ghost] = [workspaceRoles.map(next), workspaceRoles.map(next)] as const;
  const staff = staffOf.map(next);
  const [stranger, foreigner] = [next(), next()];
  const [owner, ghostOwner] = [team[0], ghost[0]];
  if (!owner || !ghostOwner) throw new Error("There is no owner.");
  const teamId = String((await call(stage.url, "/v1/workspaces", { token: owner.token, body: { name: "Team" } })).id);
  const made = await call(stage.url, "/v1/workspaces", { token: ghostOwner.token, body: { name: "Ghosts" } });
  const deletedId = String(made.id);
  await stage.stop();
  changeState(stage.stateDir, [
    ...joining(teamId, team),
    ...joining(deletedId, ghost),
    ...staff.map(({ userId }, index) => ({
      sql: "UPDATE users SET role = ?, support_level = ? WHERE id = ?",
      values: [staffOf[index]?.role ?? "user", staffOf[index]?.supportLevel ?? null, userId],
    })),
    { sql: "UPDATE workspaces SET limit_overrides = (SELECT max(limit_overrides) FROM workspaces)", values: [] },
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
    ...(await keysOf(stage.url, { id: teamId, owner, scopes })),
  ];
  const ghosts: Player[] = [
    ...ghost.map((person, index) => playerOf(person, workspaceRoles[index] ?? "viewer")),
    await subUserOf(stage.url, { id: deletedId, owner: ghostOwner }),
    ...(await keysOf(stage.url, { id: deletedId, owner: ghostOwner, scopes: [] })),
  ];
  await remove(stage.url, deletedId, ghostOwner.token);
  return { teamId, foreignId: foreigner.workspaceId, deletedId, owner, foreigner, players, ghosts };
}

function joining(workspaceId: string, people: readonly Person[]) {
  return people.slice(1).map(({ userId }, index) => ({
    sql: "INSERT INTO workspace_members (workspace_id, user_id, role, created_at) VALUES (?, ?, ?, 0)",
    values: [workspaceId, userId, workspaceRoles[index + 1] ?? "viewer"],
  }));
}

async function remove(url: string, workspaceId: string, token: string): Promise<void> {
  const answer = await fetch(`${url}/v1/workspaces/${workspaceId}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}` },
  });
  if (answer.status !== 204) throw new Error(`deleting the workspace answered ${answer.status}`);
}
