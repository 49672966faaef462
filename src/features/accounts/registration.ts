/**
 * Making an account with its personal workspace. Where addresses have to be verified, a taken address is answered like a free one, and
 * its owner is told by mail.
 */
import { auditEntry, recordFailure } from "#core/audit";
import type { Ctx, WorkspaceCtx } from "#core/context";
import { personalWorkspaceId } from "#core/ids";
import { commitWithJobs, type Enqueued } from "#core/job";
import { Problem } from "#core/problem";
import { insertPersonalWorkspace } from "#features/workspaces/service";
import { mintDefaultKey } from "./default-key.ts";
import { issueVerification, mayTellOwner } from "./email.ts";
import { accountExistsMail } from "./mails.ts";
import { takenOr } from "./new-person.ts";
import { hash, refuseCommonPassword, toUser } from "./people.ts";
import { displayName, newUserRow } from "./rules.ts";
import { type SessionChoice, startSession } from "./sessions.ts";
import { findByEmail, findByUsername, insertUser } from "./store.ts";
import type { UserRow } from "./tables.ts";

interface Registration {
  email: string;
  password: string;
  name?: string | undefined;
  username?: string | undefined;
  first_name?: string | undefined;
  last_name?: string | undefined;
  userType?: UserRow["userType"];
  aboutMe?: string;
  hobbies?: string;
}

/** `isNew` is for nobody outside: an answer must not depend on it. */
interface Created {
  row: UserRow;
  workspace: { id: string; name: string; userId: string; createdAt: number };
  isNew: boolean;
}

/** A refusal is recorded with its code and nothing of what was given: neither the address nor the name need be the caller's. */
async function createAccount(ctx: Ctx, given: Registration): Promise<Created> {
  try {
    return await tryCreate(ctx, given);
  } catch (error) {
    if (error instanceof Problem) registrationFailed(ctx, error);
    throw error;
  }
}

/** For every way to register. */
export function registrationFailed(ctx: Ctx, { code }: Problem): void {
  recordFailure(ctx, "account.registration-failed", { by: code, details: { reason: code } });
}

async function tryCreate(ctx: Ctx, given: Registration): Promise<Created> {
  if (ctx.settings.signUp === "closed") throw new Problem("sign-up-closed");
  refuseCommonPassword(given.password);
  const { enabled } = ctx.settings.emailVerification;
  const existing = await findByEmail(ctx.db, given.email);
  if (existing && !enabled) throw new Problem("email-taken");
  const created = await rowsOf(ctx, given);
  if (existing) return tellOwner(ctx, created);
  try {
    await insertAccount(ctx, created);
    return created;
  } catch (error) {
    const known = takenOr(error);
    if (enabled && known instanceof Problem && known.code === "email-taken") return tellOwner(ctx, created);
    throw known;
  }
}

async function rowsOf(ctx: Ctx, given: Registration): Promise<Created> {
  const { email, username = null, userType = "Personal", aboutMe = "", hobbies = "" } = given;
  const id = ctx.newId("user");
  const at = ctx.now();
  const passwordPhc = await hash(ctx, given.password);
  const row = newUserRow({ id, email, username, name: displayName(given), passwordPhc, at });
  const workspace = { id: personalWorkspaceId(id), name: `${row.name}'s workspace`, userId: id, createdAt: at };
  return { row: { ...row, userType, aboutMe, hobbies }, workspace, isNew: true };
}

async function insertAccount(ctx: Ctx, { row, workspace }: Created): Promise<void> {
  const mails: Enqueued[] = ctx.settings.emailVerification.enabled ? [(await issueVerification(ctx, row)).mail] : [];
  const statements = [
    insertUser(ctx.db, row),
    ...insertPersonalWorkspace(ctx.db, workspace),
    auditEntry({ ...ctx, workspaceId: workspace.id }, "account.registered", { target: row.id }),
  ];
  await commitWithJobs(ctx, statements, mails);
}

/** The address is taken: the same steps and the same answer, and a mail to its owner, within the limits on mails to one address. */
async function tellOwner(ctx: Ctx, created: Created): Promise<Created> {
  const { email, username } = created.row;
  if (username !== null && (await findByUsername(ctx.db, username))) throw new Problem("username-taken");
  if (await mayTellOwner(ctx, email)) {
    const entry = auditEntry(ctx, "account.registration-repeated", { severity: "warning" });
    await commitWithJobs(ctx, [entry], [accountExistsMail(ctx, email)]);
  }
  return { ...created, isNew: false };
}

const messageOf = (ctx: Ctx) =>
  ctx.settings.emailVerification.enabled
    ? "Account created. A code was sent to the e-mail address: verify it first."
    : "Account created.";

/** With verification there is no session yet: it would tell whether the address was free. */
export async function register(ctx: Ctx, given: Registration & { signIn: boolean; sessionKind: SessionChoice }) {
  const { row, workspace } = await createAccount(ctx, given);
  const withSession = given.signIn && !ctx.settings.emailVerification.enabled;
  const session = withSession ? await startSession(ctx, row.id, given.sessionKind) : null;
  return {
    message: messageOf(ctx),
    user: toUser(row, "free"),
    workspace: { id: workspace.id, name: workspace.name },
    session,
  };
}

interface FullRegistration {
  username: string;
  name: string;
  email: string;
  password: string;
  user_type: UserRow["userType"];
  about_me: string;
  hobbies: string;
}

/** With an API key at once, unless the address has to be verified first. */
export async function registerWithKey(ctx: Ctx, given: FullRegistration) {
  const { username, name, email, password, user_type: userType, about_me: aboutMe, hobbies } = given;
  const { row, workspace } = await createAccount(ctx, { username, name, email, password, userType, aboutMe, hobbies });
  const { enabled } = ctx.settings.emailVerification;
  return {
    success: true as const,
    message: messageOf(ctx),
    user_id: row.id,
    username,
    email: row.email,
    api_key: enabled ? null : (await mintDefaultKey(actingAs(ctx, row.id, workspace.id), row)).key,
    verification_required: enabled,
  };
}

/** The person who has just been made, as the owner of the own workspace. */
function actingAs(ctx: Ctx, userId: string, workspaceId: string): WorkspaceCtx {
  const actor = { kind: "user" as const, userId, sessionId: "", role: "owner" as const };
  return { ...ctx, actor, userId, workspaceId, plan: "free", overrides: {} };
}
