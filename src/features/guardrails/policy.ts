/** The policy that holds for a workspace now, as its requests go by it. */
import type { WorkspaceCtx } from "#core/context";
import { BoundedMap } from "#lib/bounded-map";
import { shortMemory } from "#lib/short-memory";
import { type Compiled, compileRules } from "./rules.ts";
import { findGuardrails } from "./store.ts";

const rememberMs = 10_000;
const maxWorkspaces = 2_000;

export interface Policy {
  version: number;
  allowedModels: readonly string[];
  /** Null: there are none. */
  rules: Compiled | null;
}

type PolicyCtx = Pick<WorkspaceCtx, "db" | "workspaceId" | "now" | "later">;

const memory = shortMemory<Policy | null>({ capacity: maxWorkspaces, maxAgeMs: rememberMs });
/** A policy that was read again and is the same goes on with what matching has learned. */
const compiled = new BoundedMap<string, Policy & { changedAt: number }>(200);

/** Null: the workspace never set any. Remembered for at most ten seconds. */
export function policyOf(ctx: PolicyCtx): Promise<Policy | null> {
  return memory.get(ctx.workspaceId, { nowMs: ctx.now(), read: () => read(ctx), later: ctx.later });
}

async function read(ctx: PolicyCtx): Promise<Policy | null> {
  const row = await findGuardrails(ctx);
  if (!row) return null;
  const { version, allowedModels, changedAt, rules } = row;
  const known = compiled.get(ctx.workspaceId);
  if (known?.version === version && known.changedAt === changedAt) return known;
  const policy = { version, allowedModels, changedAt, rules: rules.length > 0 ? compileRules(rules) : null };
  compiled.set(ctx.workspaceId, policy);
  return policy;
}

/** After a change; other isolates learn of it within ten seconds. */
export function forgetPolicy({ workspaceId }: Pick<WorkspaceCtx, "workspaceId">): void {
  memory.forget(workspaceId);
}
