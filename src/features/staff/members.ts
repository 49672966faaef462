/**
 * Who belongs to staff: superadmins make admins, admins make support. A role that changes ends the person's sessions, so that the next one
 * begins with what holds now; the last superadmin can be neither demoted nor suspended, also by two at once.
 */
import type { GlobalRole, SupportLevel } from "#core/access";
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { type PageQuery, readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import type { Statement } from "#core/work";
import { newPerson, takenProblem } from "#features/accounts/service";
import { findByEmail } from "#features/accounts/store";
import { asStaff, staffOf } from "./acting.ts";
import { commitChange, endSessions } from "./people.ts";
import { levelOf, outranks, permissionsOf, rolesBelow, visibleFields, fieldsToEdit } from "./rules.ts";
import type { AdminChange, NewAdmin, NewSupport, SupportChange } from "./shapes.ts";
import { changeAdmin, changePerson, findPerson, isOvertaken, listPeople, type PersonRow } from "./store.ts";

const adminRoles: GlobalRole[] = ["admin", "superadmin"];
const supportRoles: GlobalRole[] = ["support"];

export function toMember({ user }: PersonRow) {
  const { id, email, name, username, role, supportLevel } = user;
  return {
    id,
    email,
    name,
    username,
    role,
    level: role === "support" ? supportLevel : null,
    isActive: user.status === "active",
    permissions: permissionsOf({ role, supportLevel }),
    createdAt: new Date(user.createdAt).toISOString(),
    lastLoginAt: user.lastLoginAt === null ? null : new Date(user.lastLoginAt).toISOString(),
  };
}

async function listMembers(ctx: WorkspaceCtx, roles: GlobalRole[], query: PageQuery) {
  const place = { before: readCursor(query), rows: query.limit + 1, skip: 0 };
  const rows = await listPeople(ctx.db, { like: null, roles }, place);
  return toPage(
    rows.map((row) => ({ id: row.user.id, row })),
    query.limit,
    ({ row }) => toMember(row),
  );
}

export const listAdmins = (ctx: WorkspaceCtx, query: PageQuery) => listMembers(ctx, adminRoles, query);
export const listSupport = (ctx: WorkspaceCtx, query: PageQuery) => listMembers(ctx, supportRoles, query);

async function member(ctx: WorkspaceCtx, id: string, roles: GlobalRole[]): Promise<PersonRow> {
  const row = await findPerson(ctx.db, id);
  if (!row || !roles.includes(row.user.role)) throw new Problem("staff-member-not-found");
  return row;
}

interface Post {
  role: GlobalRole;
  supportLevel: SupportLevel | null;
}

/** Gives an account of that address the role, or makes one. Nobody sets the password of an account that exists. */
async function appoint(ctx: WorkspaceCtx, given: NewAdmin | NewSupport, post: Post) {
  const known = await findByEmail(ctx.db, given.email);
  const id = known ? await promote(ctx, known.id, { given, post }) : await create(ctx, given, post);
  const row = await findPerson(ctx.db, id);
  if (!row) throw new Problem("staff-member-not-found");
  return toMember(row);
}

async function promote(
  ctx: WorkspaceCtx,
  id: string,
  { given, post }: { given: NewAdmin | NewSupport; post: Post },
): Promise<string> {
  if (given.password !== undefined || given.username !== undefined || given.name !== undefined)
    throw new Problem("email-taken", {
      detail: "The address has an account: send nothing but it to give it the role.",
    });
  const row = await findPerson(ctx.db, id);
  if (!row?.workspace) throw new Problem("no-personal-workspace", { detail: "A sub-user cannot belong to staff." });
  const staff = staffOf(ctx);
  if (!outranks(staff, row.user.role)) throw new Problem("staff-rank");
  // Anybody may have registered with the address of somebody who is about to be made staff.
  if (row.user.emailVerifiedAt === null) throw new Problem("staff-email-unverified");
  await commitMember(ctx, row, {
    statement: changePerson(ctx, id, { change: post, roles: rolesBelow(staff) }),
    action: "staff.member-added",
    after: { ...post },
  });
  return id;
}

async function create(ctx: WorkspaceCtx, given: NewAdmin | NewSupport, post: Post): Promise<string> {
  const { password } = given;
  if (password === undefined)
    throw new Problem("validation-failed", { detail: "password: needed, because the address has no account yet." });
  const { id, statements } = await newPerson(ctx, { ...given, password }, { ...post, emailVerifiedAt: ctx.now() });
  const isAdmin = adminRoles.includes(post.role);
  try {
    await ctx.db.batch([
      ...statements,
      auditEntry(asStaff(ctx), isAdmin ? "staff.admin-created" : "staff.support-created", {
        target: id,
        after: { email: given.email, ...post },
        severity: "warning",
      }),
    ]);
  } catch (error) {
    throw takenProblem(error) ?? error;
  }
  return id;
}

interface MemberChange {
  statement: Statement;
  action: `staff.${string}`;
  after: Readonly<Record<string, unknown>>;
}

/** Commits with its entry, then ends the sessions. One that a failure leaves behind has no more rights: roles are read anew. */
async function commitMember(ctx: WorkspaceCtx, row: PersonRow, change: MemberChange): Promise<void> {
  const { id, role, supportLevel, status, name } = row.user;
  const before: Readonly<Record<string, unknown>> = { role, supportLevel, status, name };
  const entry = auditEntry(asStaff(ctx), change.action, {
    target: id,
    before: Object.fromEntries(Object.keys(change.after).map((member) => [member, before[member]])),
    after: change.after,
    severity: "warning",
  });
  await commitChange(ctx, row, { statements: [change.statement, entry] });
  await endSessions(ctx, id);
}

export function addAdmin(ctx: WorkspaceCtx, given: NewAdmin) {
  const { role, ...rest } = given;
  return appoint(ctx, { ...rest, role }, { role, supportLevel: null });
}

export function addSupport(ctx: WorkspaceCtx, given: NewSupport) {
  return appoint(ctx, given, { role: "support", supportLevel: given.level });
}

/** Of columns, from the body: `isActive` is a status there. */
function columnsOf({ isActive, ...rest }: { isActive?: boolean | undefined; name?: string | undefined }) {
  return {
    ...rest,
    ...(isActive === undefined ? {} : { status: isActive ? ("active" as const) : ("suspended" as const) }),
  };
}

/** A superadmin's act on an admin or superadmin, the own person included: whoever demotes himself is not the last. */
export async function changeAdminMember(ctx: WorkspaceCtx, id: string, body: AdminChange) {
  const row = await member(ctx, id, adminRoles);
  const { role, ...rest } = body;
  const change = { ...columnsOf(rest), ...(role === undefined ? {} : { role }) };
  const weakens = body.isActive === false || (role !== undefined && role !== "superadmin");
  const statement = weakens ? changeAdmin(ctx, id, change) : changePerson(ctx, id, { change, roles: adminRoles });
  try {
    await commitMember(ctx, row, { statement, action: "staff.admin-changed", after: change });
  } catch (error) {
    if (isOvertaken(error) || (weakens && error instanceof Problem && error.code === "staff-rank"))
      throw new Problem("last-superadmin");
    throw error;
  }
  const changed = await findPerson(ctx.db, id);
  return toMember(changed ?? row);
}

export async function changeSupportMember(ctx: WorkspaceCtx, id: string, body: SupportChange) {
  const row = await member(ctx, id, supportRoles);
  const { level, ...rest } = body;
  const change = { ...columnsOf(rest), ...(level === undefined ? {} : { supportLevel: level }) };
  await commitMember(ctx, row, {
    statement: changePerson(ctx, id, { change, roles: supportRoles }),
    action: "staff.support-changed",
    after: change,
  });
  return toMember(await member(ctx, id, supportRoles));
}

/** Takes the role away; the person and the account stay. */
export async function removeSupportMember(ctx: WorkspaceCtx, id: string): Promise<void> {
  const row = await member(ctx, id, supportRoles);
  const change = { role: "user" as const, supportLevel: null };
  await commitMember(ctx, row, {
    statement: changePerson(ctx, id, { change, roles: supportRoles }),
    action: "staff.support-removed",
    after: change,
  });
}

/** The asking member of staff. */
export async function profile(ctx: WorkspaceCtx) {
  const row = await findPerson(ctx.db, ctx.userId);
  if (!row) throw new Problem("staff-member-not-found");
  return toMember(row);
}

const never = ["delete users", "view passwords", "set passwords", "act in another person's name", "change roles"];

export function permissions(ctx: WorkspaceCtx) {
  const staff = staffOf(ctx);
  return {
    role: staff.role,
    level: levelOf(staff),
    permissions: permissionsOf(staff),
    viewableFields: visibleFields(staff),
    editableFields: fieldsToEdit(staff),
    never,
  };
}
