/**
 * What administration and support see and change of people. Each reads the asking person's role and level from the context, which the
 * composition read anew; nobody changes a person of an equal or a higher role, and nobody acts in another person's name.
 */
import type { Staff } from "#core/access";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { readCursor, toPage } from "#core/page";
import { type LimitOverrides, limitsOf, type PlanName } from "#core/plans";
import { Problem } from "#core/problem";
import { commitWithJobs, type Enqueued } from "#core/job";
import type { Statement } from "#core/work";
import { revokeAllSessions } from "#durable/session-store/client";
import { emailChangedMail, takenProblem } from "#features/accounts/service";
import { forgetKeys } from "#features/api-keys/check";
import { deleteKeysOfUser } from "#features/api-keys/service";
import { likePattern } from "#features/audit-log/service";
import { notify } from "#features/notifications/service";
import { creditsLeft, setCredits } from "#features/usage/service";
import { setPlan } from "#features/workspaces/service";
import { asStaff, staffOf } from "./acting.ts";
import { fieldsToEdit, outranks, type PersonField, rolesBelow, visibleFields } from "./rules.ts";
import type { PeopleQuery, PersonChange } from "./shapes.ts";
import {
  changeLimits,
  changePerson,
  countKeysOfUser,
  countPeople,
  findPerson,
  isOvertaken,
  listPeople,
  type PersonRow,
} from "./store.ts";

const iso = (at: number) => new Date(at).toISOString();

function everything({ user, workspace }: PersonRow) {
  return {
    id: user.id,
    email: user.email,
    username: user.username,
    name: user.name,
    role: user.role,
    userType: user.userType,
    plan: workspace?.plan ?? null,
    isActive: user.status === "active",
    isVerified: user.emailVerifiedAt !== null,
    workspaceId: workspace?.id ?? null,
    createdAt: iso(user.createdAt),
    lastLoginAt: user.lastLoginAt === null ? null : iso(user.lastLoginAt),
    limits: workspace?.limitOverrides ?? {},
    creditsPerDay: workspace ? limitsOf(workspace.plan, workspace.limitOverrides).creditsPerDay : undefined,
    promptLevel: user.promptLevel,
    promptStyles: user.promptStyles,
    aboutMe: user.aboutMe,
    hobbies: user.hobbies,
    notes: user.staffNotes,
    supportLevel: user.supportLevel,
    parentWorkspaceId: user.parentWorkspaceId,
  };
}

type Everything = ReturnType<typeof everything> & { creditsLeft: number | null | undefined };
type Basic = "id" | "email" | "username" | "name" | "role" | "userType" | "plan" | "isActive" | "isVerified";
export type SeenPerson = Pick<Everything, Basic | "workspaceId" | "createdAt" | "lastLoginAt"> & Partial<Everything>;

/** What this member of staff sees of a person; the rest is left out. */
function toPerson(staff: Staff, row: PersonRow, more: Partial<Everything> = {}): SeenPerson {
  const seen = visibleFields(staff);
  const all = Object.entries({ ...everything(row), ...more });
  return Object.fromEntries(all.filter(([name]) => seen.includes(name as PersonField))) as SeenPerson;
}

/** A sub-user has none: the credits are the parent's. */
async function creditsLeftOf(ctx: WorkspaceCtx, { workspace }: PersonRow): Promise<number | null | undefined> {
  if (!workspace) return undefined;
  const { id: workspaceId, plan, limitOverrides: overrides } = workspace;
  return creditsLeft({ objects: ctx.objects, now: ctx.now, workspaceId, plan, overrides });
}

/** Newest first; with `page`, by the number of the page, as older clients ask. */
export async function listPage(ctx: WorkspaceCtx, query: PeopleQuery) {
  const staff = staffOf(ctx);
  const filter = {
    like: likeOf(query.search),
    userType: query.userType ?? query.user_type,
    isActive: query.isActive ?? query.is_active,
    isVerified: query.isVerified ?? query.is_verified,
    roles: query.role === undefined ? undefined : [query.role],
  };
  const size = query.page_size ?? query.limit;
  const page = query.page ?? 1;
  const place = { before: readCursor(query), rows: size + 1, skip: (page - 1) * size };
  const [rows, total] = await Promise.all([listPeople(ctx.db, filter, place), countPeople(ctx.db, filter)]);
  const named = rows.map((row) => ({ id: row.user.id, row }));
  return { ...toPage(named, size, ({ row }) => toPerson(staff, row)), total, page, pageSize: size };
}

function likeOf(search: string | undefined): string | null {
  if (search === undefined) return null;
  const pattern = likePattern(search);
  if (pattern === null) throw new Problem("validation-failed", { detail: "search: at most 48 bytes." });
  return pattern;
}

export async function getPerson(ctx: WorkspaceCtx, id: string): Promise<SeenPerson> {
  const row = await existing(ctx, id);
  const staff = staffOf(ctx);
  const seesCredits = visibleFields(staff).includes("creditsLeft");
  return toPerson(staff, row, seesCredits ? { creditsLeft: await creditsLeftOf(ctx, row) } : {});
}

export async function existing(ctx: WorkspaceCtx, id: string): Promise<PersonRow> {
  const row = await findPerson(ctx.db, id);
  if (!row) throw new Problem("user-not-found", { detail: "There is no such person." });
  return row;
}

/** The person, unless the own role is not above. */
export async function below(ctx: WorkspaceCtx, id: string): Promise<PersonRow> {
  const row = await existing(ctx, id);
  if (!outranks(staffOf(ctx), row.user.role)) throw new Problem("staff-rank");
  return row;
}

/** Name of an act in the trail: support's acts are told apart from administration's. */
export function actOf(staff: Staff, verb: string): `${string}.${string}` {
  return staff.role === "support" ? `support.${verb}` : `staff.${verb}`;
}

export async function changePersonByStaff(ctx: WorkspaceCtx, id: string, body: PersonChange): Promise<SeenPerson> {
  const staff = staffOf(ctx);
  const row = await below(ctx, id);
  refuseFields(staff, body);
  const credits = creditsChange(ctx, row, body);
  const before = credits ? { creditsLeft: await creditsLeftOf(ctx, row) } : {};
  const suspends = body.isActive === false;
  const movesAddress = body.email !== undefined && body.email !== row.user.email;
  if (suspends) await endSessions(ctx, id);
  await commitChange(ctx, row, {
    statements: [
      changePerson(ctx, id, { change: columnsOf(ctx, row, body), roles: rolesBelow(staff) }),
      ...workspaceChange(ctx, row, body),
      auditEntry(asStaff(ctx), actOf(staff, "user-changed"), {
        target: id,
        before: { ...pickChanged(row, body), ...before },
        after: { ...body },
        ...(credits ? { details: { grantId: credits.grantId, workspaceId: credits.workspaceId } } : {}),
        severity: suspends || movesAddress ? "warning" : "info",
      }),
      ...(movesAddress ? tellMoved(ctx, row) : []),
    ],
    // Whoever loses the account by this, or by a person of staff who was taken in, learns it where the account was.
    enqueued: movesAddress ? [emailChangedMail(ctx, row.user, { byStaff: true })] : [],
  });
  // Credits that nobody can account for must not exist, so the entry comes first.
  if (credits) await setCredits(ctx, credits);
  // After the change as well: a session that began in between must not live on.
  if (suspends || movesAddress) await endSessions(ctx, id);
  return getPerson(ctx, id);
}

function tellMoved(ctx: WorkspaceCtx, { user, workspace }: PersonRow): Statement[] {
  return notify(ctx, {
    userId: user.id,
    workspaceId: workspace?.id ?? null,
    kind: "security",
    title: "Your e-mail address was changed",
    body: "Our staff changed the e-mail address of your account and ended its sessions.",
  });
}

function refuseFields(staff: Staff, body: PersonChange): void {
  const allowed: readonly string[] = fieldsToEdit(staff);
  const forbidden = Object.keys(body).filter((name) => !allowed.includes(name));
  if (forbidden.length > 0)
    throw new Problem("staff-field-not-editable", {
      detail: `Not yours to change: ${forbidden.join(", ")}.`,
      members: { forbidden, editable: allowed },
    });
}

function pickChanged(row: PersonRow, body: PersonChange): Record<string, unknown> {
  const all: Readonly<Record<string, unknown>> = everything(row);
  return Object.fromEntries(Object.keys(body).map((name) => [name, all[name]]));
}

/** A new address has to be proven by its owner, unless staff say in the same breath that it is. */
function columnsOf(ctx: WorkspaceCtx, { user }: PersonRow, body: PersonChange) {
  const { email, isActive, isVerified, notes, plan: _, limits: __, creditsLeft: ___, ...same } = body;
  const moves = email !== undefined && email !== user.email;
  const verified = isVerified ?? (moves ? false : undefined);
  return {
    ...same,
    ...(email === undefined ? {} : { email }),
    ...(notes === undefined ? {} : { staffNotes: notes }),
    ...(isActive === undefined ? {} : { status: isActive ? ("active" as const) : ("suspended" as const) }),
    ...(verified === undefined ? {} : { emailVerifiedAt: verified ? (user.emailVerifiedAt ?? ctx.now()) : null }),
  };
}

/** What the ledger has to do once the rest is committed; null: nothing. Throws when credits have no limit that they could be set against. */
function creditsChange(ctx: WorkspaceCtx, { workspace }: PersonRow, body: PersonChange) {
  if (body.creditsLeft === undefined) return null;
  if (!workspace) throw new Problem("no-personal-workspace");
  const { id: workspaceId, plan, limitOverrides } = workspace;
  const perDay = limitsOf(body.plan ?? plan, overridden(limitOverrides, body.limits ?? {})).creditsPerDay;
  if (perDay === null)
    throw new Problem("validation-failed", {
      detail: "creditsLeft: this plan's credits have no limit; set one first.",
    });
  return { workspaceId, credits: body.creditsLeft, perDay, grantId: ctx.newId("event") };
}

function workspaceChange(ctx: WorkspaceCtx, row: PersonRow, body: PersonChange): Statement[] {
  if (body.plan === undefined && body.limits === undefined) return [];
  if (!row.workspace) throw new Problem("no-personal-workspace");
  const { id, limitOverrides } = row.workspace;
  return [
    ...(body.plan === undefined ? [] : setPlan(ctx.db, id, { plan: body.plan, at: ctx.now() })),
    ...(body.limits === undefined ? [] : [changeLimits(ctx.db, id, overridden(limitOverrides, body.limits))]),
  ];
}

/** null takes an override back: the plan's own limit counts again. An override that means "no limit" stays as it is. */
function overridden(before: LimitOverrides, change: NonNullable<PersonChange["limits"]>): LimitOverrides {
  const kept = Object.entries(before).filter(([name]) => !(name in change));
  const given = Object.entries(change).filter(([, value]) => value !== null);
  return Object.fromEntries([...kept, ...given]);
}

/** Commits, and says in the product's words why it could not. */
export async function commitChange(
  ctx: WorkspaceCtx,
  row: PersonRow,
  { statements, enqueued = [] }: { statements: Statement[]; enqueued?: Enqueued[] },
): Promise<void> {
  try {
    await commitWithJobs(ctx, statements, enqueued);
  } catch (error) {
    if (isOvertaken(error))
      throw new Problem("staff-rank", { detail: `The role of ${row.user.id} was changed meanwhile.` });
    throw takenProblem(error) ?? error;
  }
}

export async function endSessions(ctx: WorkspaceCtx, userId: string): Promise<void> {
  await revokeAllSessions(ctx.objects.SESSION_STORE, { userId, reason: "ended-by-staff", nowMs: ctx.now() });
}

export async function changePlan(ctx: WorkspaceCtx, id: string, plan: PlanName): Promise<SeenPerson> {
  const staff = staffOf(ctx);
  const row = await below(ctx, id);
  if (!row.workspace) throw new Problem("no-personal-workspace");
  const statements = [
    changePerson(ctx, id, { change: {}, roles: rolesBelow(staff) }),
    ...setPlan(ctx.db, row.workspace.id, { plan, at: ctx.now() }),
    auditEntry(asStaff(ctx), actOf(staff, "plan-changed"), {
      target: id,
      before: { plan: row.workspace.plan },
      after: { plan },
      details: { workspaceId: row.workspace.id },
    }),
  ];
  await commitChange(ctx, row, { statements });
  return getPerson(ctx, id);
}

/** Revokes every API key of the person, who makes new ones: a key is shown to its owner only, so none is made here. */
export async function revokeApiKeys(ctx: WorkspaceCtx, id: string) {
  const staff = staffOf(ctx);
  const row = await below(ctx, id);
  const revoked = await countKeysOfUser(ctx.db, id);
  const statements = [
    changePerson(ctx, id, { change: {}, roles: rolesBelow(staff) }),
    deleteKeysOfUser(ctx, id, ctx.now()),
    auditEntry(asStaff(ctx), "staff.api-keys-revoked", { target: id, details: { revoked }, severity: "warning" }),
    ...notify(ctx, {
      userId: id,
      workspaceId: row.workspace?.id ?? null,
      kind: "security",
      title: "Your API keys were revoked",
      body: "Our staff revoked your API keys. Make new ones; nobody else has seen or can see them.",
    }),
  ];
  await commitChange(ctx, row, { statements });
  if (row.workspace) forgetKeys({ workspaceId: row.workspace.id, userId: id });
  return { message: "All API keys were revoked. The owner makes new ones and is the only one who sees them.", revoked };
}
