/**
 * The statements that make the first superadmin, and the hash of the password. Runs on Node, against the tables as the migrations leave
 * them. Nobody's password is changed here: an account that exists keeps its own.
 */
import { argon2, randomBytes } from "node:crypto";
import { promisify } from "node:util";

const hashArgon2 = promisify(argon2);
const crockford = "0123456789abcdefghjkmnpqrstvwxyz";

/** The layout of all ids of the product: 48 bits of milliseconds, then 80 random bits. The suffix is what comes after `prefix_`. */
function idSuffix(nowMs: number): string {
  let time = "";
  for (let rest = nowMs, digit = 0; digit < 10; digit += 1, rest = Math.floor(rest / 32))
    time = `${crockford[rest % 32]}${time}`;
  return time + [...randomBytes(16)].map((byte) => crockford[byte & 31]).join("");
}

/** The profile that the Worker hashes with (OWASP's second argon2id profile), as a PHC string. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16);
  const options = { message: password, nonce, memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 };
  const hash = Buffer.from(await hashArgon2("argon2id", options));
  const base64 = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");
  return `$argon2id$v=19$m=19456,t=2,p=1$${base64(nonce)}$${base64(hash)}`;
}

/** What is wrong with a password, in words; null: nothing. */
export function passwordFault(password: string, commonPasswords: string): string | null {
  if (Array.from(password).length < 8) return "The password needs at least 8 characters.";
  if (Buffer.byteLength(password) > 1_024) return "The password may have at most 1024 bytes.";
  const lower = password.toLowerCase();
  const stem = lower.replace(/[\d!@#$%^&*.?]{1,4}$/, "");
  const isCommon = commonPasswords.split("\n").some((entry) => entry !== "" && (entry === lower || entry === stem));
  return isCommon ? "The password is on the lists of common passwords." : null;
}

/** Lower case, as the product keeps addresses. Throws for what is none. */
export function readEmail(given: string): string {
  const email = given.trim().toLowerCase();
  // Stricter than mail itself: the text goes into a statement, and nobody needs a quote or a blank in a superadmin's address.
  if (!/^[a-z0-9._%+-]{1,64}@[a-z0-9.-]{1,180}\.[a-z]{2,}$/.test(email)) throw new Error("This is no e-mail address.");
  return email;
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

export const countSuperadmins =
  "select count(*) as superadmins from users where role = 'superadmin' and status = 'active'";

export function findAccount(email: string): string {
  return `select id, role, status, parent_workspace_id as parent, email_verified_at as proven from users where email = ${quoted(email)} and status <> 'deleted'`;
}

interface Superadmin {
  email: string;
  name: string;
  passwordPhc: string;
  nowMs: number;
}

/** One file of statements. Each does nothing when there is a superadmin already, unless `another` is wanted. */
export function createStatements(
  { email, name, passwordPhc, nowMs }: Superadmin,
  options: { another: boolean },
): string {
  const suffix = idSuffix(nowMs);
  const [userId, workspaceId] = [`usr_${suffix}`, `wks_${suffix}`];
  const made = `where exists (select 1 from users where id = '${userId}')`;
  return [
    `insert into users (id, email, name, password_phc, role, email_verified_at, created_at, updated_at)
       select '${userId}', ${quoted(email)}, ${quoted(name)}, ${quoted(passwordPhc)}, 'superadmin', ${nowMs}, ${nowMs}, ${nowMs} ${guard(options)};`,
    `insert into workspaces (id, name, kind, owner_user_id, created_at)
       select '${workspaceId}', ${quoted(`${name}'s workspace`)}, 'personal', '${userId}', ${nowMs} ${made};`,
    `insert into workspace_members (workspace_id, user_id, role, created_at) select '${workspaceId}', '${userId}', 'owner', ${nowMs} ${made};`,
    entry({ target: userId, nowMs, before: null }, made),
  ].join("\n");
}

/** Gives an account that exists the role; it keeps its password. */
export function promoteStatements(
  account: { id: string; role: string },
  nowMs: number,
  options: { another: boolean },
): string {
  const { id, role } = account;
  const others = options.another
    ? ""
    : " and not exists (select 1 from users other where other.role = 'superadmin' and other.status = 'active')";
  const done = `where exists (select 1 from users where id = ${quoted(id)} and role = 'superadmin' and updated_at = ${nowMs})`;
  return [
    `update users set role = 'superadmin', support_level = null, updated_at = ${nowMs} where id = ${quoted(id)}${others};`,
    entry({ target: id, nowMs, before: role }, done),
  ].join("\n");
}

function guard({ another }: { another: boolean }): string {
  return another ? "" : "where not exists (select 1 from users where role = 'superadmin' and status = 'active')";
}

function entry(about: { target: string; nowMs: number; before: string | null }, condition: string): string {
  const { target, nowMs, before } = about;
  const old = before === null ? "null" : quoted(JSON.stringify({ role: before }));
  return `insert into audit_log (id, actor_kind, action, target, category, severity, details, before, after, request_id, created_at)
       select 'aud_${idSuffix(nowMs)}', 'system', 'staff.admin-created', ${quoted(target)}, 'staff', 'warning', '{"by":"admin:create"}', ${old}, '{"role":"superadmin"}', 'admin-create', ${nowMs} ${condition};`;
}
