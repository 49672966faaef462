/** Making, reading, changing and deleting workspaces. What is deleted here stops at once; its files go 30 days later (jobs/). */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { limitsOf } from "#core/plans";
import { Problem } from "#core/problem";
import { readMeters } from "#durable/ledger/client";
import { endPeopleOf, whileOvertaken } from "#features/accounts/service";
import { forgetKeys } from "#features/api-keys/check";
import { cancellationOf } from "#features/billing/service";
import { webhookEvent } from "#features/webhooks/service";
import { breachOf, isTaken, requireRole } from "./guard-store.ts";
import { maxOwnWorkspaces, slugOf } from "./rules.ts";
import { forgetMemberships, roleIn } from "./service.ts";
import type { WorkspaceShape } from "./shapes.ts";
import {
  cancelWork,
  countForStats,
  countTeamsOf,
  findWorkspace,
  insertWorkspace,
  isSlugTaken,
  listOwnWorkspaces,
  type OwnWorkspace,
  revokeAllInvitations,
  updateWorkspace,
} from "./store.ts";
import type { WorkspaceRow } from "./tables.ts";

export function toWorkspace({ workspace, role }: OwnWorkspace): WorkspaceShape {
  const { id, name, slug, description, kind, size, settings, plan, ownerUserId, createdAt } = workspace;
  return {
    id,
    name,
    slug,
    description,
    kind,
    size,
    settings,
    plan,
    ownerUserId,
    role,
    createdAt: new Date(createdAt).toISOString(),
  };
}

/** A key sees the workspace that it belongs to and no other, and so does a sub-user. */
export async function listWorkspacePage(ctx: WorkspaceCtx, query: PageQuery) {
  if (ctx.subUser) return { items: [await getWorkspace(ctx)], nextCursor: null };
  const only = ctx.actor.kind === "api-key" ? ctx.workspaceId : null;
  const page = { before: readCursor(query), only, limit: query.limit + 1 };
  const rows = await listOwnWorkspaces(ctx.db, ctx.userId, page);
  return toPage(
    rows.map((row) => ({ ...row, id: row.workspace.id })),
    query.limit,
    toWorkspace,
  );
}

export async function getRow(ctx: WorkspaceCtx): Promise<WorkspaceRow> {
  const workspace = await findWorkspace(ctx.db, ctx.workspaceId);
  if (!workspace) throw new Problem("workspace-not-found");
  return workspace;
}

export async function getWorkspace(ctx: WorkspaceCtx): Promise<WorkspaceShape> {
  const workspace = await getRow(ctx);
  return toWorkspace({ workspace, role: await roleIn(ctx, ctx.workspaceId, ctx.userId) });
}

interface NewWorkspace {
  name: string;
  slug?: string | undefined;
  description?: string | undefined;
  size?: WorkspaceRow["size"] | undefined;
  settings?: Record<string, unknown> | undefined;
}

export async function createWorkspace(ctx: WorkspaceCtx, given: NewWorkspace): Promise<WorkspaceShape> {
  const id = ctx.newId("workspace");
  const made = ctx.isReplay ? await findWorkspace(ctx.db, id) : null;
  if (made) return toWorkspace({ workspace: made, role: "owner" });
  if ((await countTeamsOf(ctx.db, ctx.userId)) >= maxOwnWorkspaces)
    throw new Problem("workspace-limit-reached", { detail: `At most ${maxOwnWorkspaces} that you own.` });
  const row = {
    id,
    name: given.name,
    kind: "team" as const,
    ownerUserId: ctx.userId,
    slug: given.slug ?? (await freeSlug(ctx, given.name)),
    description: given.description ?? "",
    size: given.size ?? "small",
    settings: given.settings ?? {},
    createdAt: ctx.now(),
  };
  await withSlug(
    ctx.db.batch([
      ...(insertWorkspace(ctx.db, row) as [ReturnType<typeof updateWorkspace>]),
      auditEntry({ ...ctx, workspaceId: id }, "workspace.created", {
        target: id,
        after: { name: row.name, slug: row.slug },
      }),
    ]),
  );
  const workspace = await findWorkspace(ctx.db, id);
  if (!workspace) throw new Problem("workspace-not-found");
  return toWorkspace({ workspace, role: "owner" });
}

/** Chance keeps two teams of one name apart; the unique index still decides. */
async function freeSlug(ctx: WorkspaceCtx, name: string): Promise<string> {
  const slug = slugOf(name);
  if (slug !== null && !(await isSlugTaken(ctx.db, slug))) return slug;
  return `${slug ?? "team"}-${Buffer.from(ctx.random(4)).toString("hex")}`;
}

async function withSlug(batch: Promise<unknown>): Promise<void> {
  try {
    await batch;
  } catch (error) {
    throw isTaken(error, "workspaces.slug") ? new Problem("slug-taken") : error;
  }
}

export async function changeWorkspace(ctx: WorkspaceCtx, given: Partial<NewWorkspace>): Promise<WorkspaceShape> {
  const before = await getRow(ctx);
  const change = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const entry = auditEntry(ctx, "workspace.changed", {
    target: before.id,
    before: Object.fromEntries(Object.keys(change).map((name) => [name, before[name as keyof WorkspaceRow]])),
    after: change,
  });
  await withSlug(ctx.db.batch([updateWorkspace(ctx.db, before.id, change), entry]));
  if (given.settings !== undefined) {
    forgetMemberships({ workspaceId: before.id });
    forgetKeys({ workspaceId: before.id });
  }
  return getWorkspace(ctx);
}

async function commitDeletion(ctx: WorkspaceCtx, before: WorkspaceRow): Promise<void> {
  const at = ctx.now();
  const end = { by: ctx.userId, reason: "ended with its workspace", at };
  try {
    await commitWithJobs(
      ctx,
      [
        requireRole(ctx.db, before.id, { rule: "actor", userId: ctx.userId, roles: ["owner"] }),
        updateWorkspace(ctx.db, before.id, { deletedAt: at, slug: null }),
        cancelWork(ctx.db, before.id, at),
        revokeAllInvitations(ctx.db, before.id, at),
        ...(await endPeopleOf(ctx, [before.id], end)),
        auditEntry(ctx, "workspace.deleted", { target: before.id, before: { name: before.name, slug: before.slug } }),
      ],
      [
        ...webhookEvent(ctx, "workspace.deleted", { workspaceId: before.id, name: before.name }),
        ...(await cancellationOf(ctx, before.id)),
      ],
    );
  } catch (error) {
    throw breachOf(error) === "actor" ? new Problem("role-not-grantable") : error;
  }
}

/**
 * From this moment nobody gets in: keys are refused, sessions cannot select it, what waits or runs in it is cancelled, invitations are
 * withdrawn, sub-users and the subscription end, and the slug is free. Files and the keys of their encryption go after 30 days.
 */
export async function deleteWorkspace(ctx: WorkspaceCtx): Promise<void> {
  const before = await getRow(ctx);
  if (before.kind === "personal") throw new Problem("personal-workspace");
  await whileOvertaken(() => commitDeletion(ctx, before));
  forgetMemberships({ workspaceId: before.id });
  forgetKeys({ workspaceId: before.id });
}

const recentMs = 7 * 24 * 3_600_000;
const dayMs = 24 * 3_600_000;

export async function readStats(ctx: WorkspaceCtx) {
  const limits = limitsOf(ctx.plan, ctx.overrides);
  const nowMs = ctx.now();
  const [counts, { meters, storage }] = await Promise.all([
    countForStats(ctx.db, ctx.workspaceId, nowMs - recentMs),
    readMeters(ctx.objects.LEDGER, { workspaceId: ctx.workspaceId }),
  ]);
  const tokens = meters.find(({ meter }) => meter === "aiTokens");
  const used = tokens?.used ?? 0;
  const limit = limits.aiTokensPerMonth;
  const now = new Date(nowMs);
  const resetMs = tokens?.endMs ?? Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1);
  return {
    total_members: counts.members,
    total_api_keys: counts.apiKeys,
    monthly_tokens_used: used,
    monthly_token_limit: limit,
    token_usage_percentage: limit ? Math.round((used / limit) * 10_000) / 100 : 0,
    days_until_reset: Math.ceil((resetMs - nowMs) / dayMs),
    recent_activity_count: counts.acts,
    storage: { used_bytes: storage.used, reserved_bytes: storage.reserved, limit_bytes: limits.storageBytes },
  };
}
