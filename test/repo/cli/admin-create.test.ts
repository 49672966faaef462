/** The command that makes the first superadmin: what it writes, what it asks wrangler, and what it refuses without a trace. */
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";

const password = "a calm sea at dawn";

/** A copy of the command with a wrangler that runs what it is given on an SQLite database made by the project's own migrations. */
function makeProject() {
  const root = mkdtempSync(join(tmpdir(), "admin-create-test-"));
  for (const folder of ["src/cli", "migrations"]) cpSync(folder, join(root, folder), { recursive: true });
  mkdirSync(join(root, "src/features/accounts"), { recursive: true });
  cpSync("src/features/accounts/common-passwords.txt", join(root, "src/features/accounts/common-passwords.txt"));
  writeFileSync(join(root, "package.json"), JSON.stringify({ type: "module" }));
  const database = join(root, "d1.sqlite");
  const made = new DatabaseSync(database);
  for (const file of readdirSync("migrations")
    .filter((name) => name.endsWith(".sql"))
    .sort())
    made.exec(readFileSync(join("migrations", file), "utf8"));
  made.close();
  const calls = join(root, "calls.jsonl");
  const bin = join(root, "node_modules/wrangler/bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(
    join(bin, "wrangler.js"),
    `import { appendFileSync, readFileSync } from "node:fs";
    import { DatabaseSync } from "node:sqlite";
    const args = process.argv.slice(2);
    appendFileSync(${JSON.stringify(calls)}, JSON.stringify(args) + "\\n");
    if (args[1] === "migrations") process.exit(0);
    const value = (name) => args[args.indexOf(name) + 1];
    const database = new DatabaseSync(${JSON.stringify(database)});
    console.error("[WARNING] some words of wrangler [1]");
    if (args.includes("--file")) database.exec(readFileSync(value("--file"), "utf8"));
    const results = args.includes("--command") ? database.prepare(value("--command")).all() : [];
    console.log(JSON.stringify([{ results, success: true }], null, 2));`,
  );
  return { root, database, calls };
}

type Project = ReturnType<typeof makeProject>;

async function run(project: Project, args: string[], input = `${password}\n`) {
  const { status, text } = await new Promise<{ status: number | null; text: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", join(project.root, "src/cli/admin-create.ts"), ...args],
      { env: { PATH: process.env["PATH"] ?? "", TMPDIR: tmpdir() } },
      (_, stdout, stderr) => resolve({ status: child.exitCode, text: stdout + stderr }),
    );
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
  const calls = existsSync(project.calls) ? readFileSync(project.calls, "utf8") : "";
  return { status, text, calls };
}

function rows(project: Project, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(project.database);
  const found = database.prepare(sql).all();
  database.close();
  return found;
}

// Up to nine processes one after the other, each of which a busy machine takes seconds to start.
describe("npm run admin:create", { timeout: 120_000 }, () => {
  it("makes a superadmin with a workspace and an entry, and shows neither password nor hash", async () => {
    const project = makeProject();
    const { status, text, calls } = await run(project, ["--email", "Boss@Example.com", "--name", "Ada O'Neil"]);
    expect(text).toContain("boss@example.com is a superadmin now");
    expect(status).toBe(0);
    const [user] = rows(project, "select * from users");
    expect(user).toMatchObject({ email: "boss@example.com", name: "Ada O'Neil", role: "superadmin", status: "active" });
    expect(user?.["password_phc"]).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    const id = String(user?.["id"]);
    expect(id).toMatch(/^usr_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(rows(project, "select id, owner_user_id from workspaces")).toEqual([
      { id: `wks_${id.slice(4)}`, owner_user_id: id },
    ]);
    expect(rows(project, "select role from workspace_members")).toEqual([{ role: "owner" }]);
    expect(rows(project, "select action, target, category, severity from audit_log")).toEqual([
      { action: "staff.admin-created", target: id, category: "staff", severity: "warning" },
    ]);
    for (const secret of [password, String(user?.["password_phc"]), "argon2"])
      expect(text + calls).not.toContain(secret);
    expect(calls).toContain("--local");
    expect(
      globSync(join(tmpdir(), "admin-create-*/statements.sql")).filter((file) =>
        readFileSync(file, "utf8").includes(id),
      ),
    ).toEqual([]);
  });

  it("refuses a second one, unless forced", async () => {
    const project = makeProject();
    await run(project, ["--email", "one@example.com"]);
    const refused = await run(project, ["--email", "two@example.com"]);
    expect([refused.status, refused.text]).toEqual([1, expect.stringContaining("--force-another")]);
    expect(rows(project, "select email from users")).toEqual([{ email: "one@example.com" }]);
    expect((await run(project, ["--email", "two@example.com", "--force-another"])).status).toBe(0);
    expect(rows(project, "select email from users where role = 'superadmin' order by email")).toHaveLength(2);
  });

  it("gives an account that exists the role and leaves its password alone", async () => {
    const project = makeProject();
    const database = new DatabaseSync(project.database);
    database.exec(
      "insert into users (id, email, name, password_phc, created_at, updated_at) values ('usr_1', 'ada@example.com', 'Ada', 'kept', 1, 1)",
    );
    database.close();
    const refused = await run(project, ["--email", "ada@example.com"], "");
    expect([refused.status, refused.text]).toEqual([1, expect.stringContaining("--trust-address")]);
    expect(rows(project, "select role from users")).toEqual([{ role: "user" }]);
    const { status, text } = await run(project, ["--email", "ada@example.com", "--trust-address"], "");
    expect([status, text]).toEqual([0, expect.stringContaining("with the password of the account")]);
    expect(rows(project, "select role, password_phc from users")).toEqual([
      { role: "superadmin", password_phc: "kept" },
    ]);
    expect(rows(project, "select before, after from audit_log")).toEqual([
      { before: '{"role":"user"}', after: '{"role":"superadmin"}' },
    ]);
  });

  it("gives an account that has proven its address the role without more ado", async () => {
    const project = makeProject();
    const database = new DatabaseSync(project.database);
    database.exec(
      "insert into users (id, email, name, password_phc, email_verified_at, created_at, updated_at) values ('usr_1', 'ada@example.com', 'Ada', 'kept', 1, 1, 1)",
    );
    database.close();
    expect((await run(project, ["--email", "ada@example.com"], "")).status).toBe(0);
    expect(rows(project, "select role from users")).toEqual([{ role: "superadmin" }]);
  });

  it("asks the deployed database when told to", async () => {
    const { status, calls } = await run(makeProject(), ["--email", "far@example.com", "--remote"]);
    expect(status).toBe(0);
    expect(calls).toContain("--remote");
    expect(calls).not.toMatch(/--local|migrations/);
  });

  it.each([
    [
      "a password as an argument",
      ["--email", "a@example.com", "--password", "hunter2 hunter2"],
      password,
      "--password",
    ],
    ["a short password", ["--email", "a@example.com"], "short", "8 characters"],
    ["a common password", ["--email", "a@example.com"], "password123", "common"],
    ["no password", ["--email", "a@example.com"], "", "standard input"],
    ["no address", [], password, "--email"],
    ["an address with a quote", ["--email", "a'--@example.com"], password, "no e-mail address"],
  ])("refuses %s and makes nobody", async (_, args, input, word) => {
    const project = makeProject();
    const { status, text } = await run(project, args, input);
    expect([status, text]).toEqual([1, expect.stringContaining(word)]);
    expect(rows(project, "select id from users")).toEqual([]);
  });
});
