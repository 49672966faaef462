/** Who asks for an operation in which workspace, and the word that a violation seen there begins with. */
import type { Cast, Player } from "./cast.ts";
import type { Operation, Tenant } from "./policy.ts";
import type { Target } from "./requests.ts";

export interface Scene {
  operation: Operation;
  player: Player;
  tenant: Tenant;
  target: Target;
  /** Names the workspace by header; else the request acts where its credential is at home. */
  selects: boolean;
}

/**
 * Everybody in every workspace. Of the keys that lack a single scope only the one that lacks what is asked for; where everybody is let in,
 * the key with all scopes stands for those with fewer.
 */
export function scenesOf(cast: Cast, operation: Operation): Scene[] {
  const players = cast.players.filter((player) => isConcerned(operation, player));
  const ghosts = cast.ghosts.filter((player) => isConcerned(operation, player));
  const outsiders = players.filter(({ actor }) => ["nobody", "stranger", "staff"].includes(actor.kind));
  // What is about a person alone is done at home, and the team is as good as foreign.
  const members = operation.homeOnly ? players.filter(({ actor }) => actor.kind === "member") : [];
  return [
    ...players.map((player) => sceneOf(cast, operation, { player, tenant: "own" })),
    ...players.map((player) => sceneOf(cast, operation, { player, tenant: "foreign" })),
    ...[...ghosts, ...outsiders].map((player) => sceneOf(cast, operation, { player, tenant: "deleted" })),
    ...members.map((player) => ({
      ...sceneOf(cast, operation, { player, tenant: "foreign" }),
      target: { workspaceId: cast.teamId },
    })),
  ];
}

function isConcerned({ access }: Operation, { name }: Player): boolean {
  if (access === "public") return !name.includes(" alone") && !name.includes("all but");
  return !name.includes("all but") || name.endsWith(` but ${access}`);
}

function sceneOf(cast: Cast, operation: Operation, { player, tenant }: Pick<Scene, "player" | "tenant">): Scene {
  const workspaceId = { own: cast.teamId, foreign: cast.foreignId, deleted: cast.deletedId }[tenant];
  const isOwn = tenant === "own";
  // What staff do belongs to no workspace: they act in their own.
  const isStaffWork = isOwn && player.actor.kind === "staff" && operation.access.startsWith("staff:");
  const selects = player.home !== workspaceId && !isStaffWork && !(isOwn && operation.homeOnly);
  return { operation, player, tenant, target: { workspaceId }, selects };
}

const wordOfActor: Record<string, string> = { key: "scope", "sub-user": "sub-user", staff: "staff" };

export function wordOf({ player, tenant }: Scene): string {
  return tenant === "own" ? (wordOfActor[player.actor.kind] ?? "role") : tenant;
}
