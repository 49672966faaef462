/**
 * `npm run admin:create [-- --remote]`: makes the first superadmin, here or in the deployed database. The password comes from the terminal
 * or from standard input; it is never an argument, and neither it nor its hash is printed or shown in a list of processes.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { endOf, projectRoot, spawnWrangler } from "./local-wrangler.ts";
import { migrateLocal } from "./migrate-local.ts";
import {
  countSuperadmins,
  createStatements,
  findAccount,
  hashPassword,
  passwordFault,
  promoteStatements,
  readEmail,
} from "./new-superadmin.ts";
import { refuseSharedState } from "./state-lock.ts";
import { print, printError } from "./terminal.ts";

const usage = `npm run admin:create [-- --email <address>] [--name <name>] [--remote] [--persist-to <folder>] [--force-another] [--trust-address]

Makes the first superadmin. An account that exists with this address gets the role and keeps its password; otherwise an account is made,
and its password is asked for on the terminal, or read from the first line of standard input.

--remote         the deployed database instead of the one of \`npm run dev\` (which must not run meanwhile)
--persist-to     where the local database is kept (default .wrangler/state)
--trust-address  also an account that has not proven the address: anybody may have registered with it
--force-another  also when there is a superadmin already; otherwise that one makes others by POST /v1/admin/admins`;

interface Options {
  email: string | undefined;
  name: string | undefined;
  remote: boolean;
  stateDir: string;
  another: boolean;
  trusts: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      email: { type: "string" },
      name: { type: "string" },
      remote: { type: "boolean" },
      "persist-to": { type: "string" },
      "force-another": { type: "boolean" },
      "trust-address": { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    print(usage);
    process.exit(0);
  }
  return {
    email: values.email,
    name: values.name,
    remote: values.remote === true,
    stateDir: resolve(projectRoot, values["persist-to"] ?? ".wrangler/state"),
    another: values["force-another"] === true,
    trusts: values["trust-address"] === true,
  };
}

type Rows = Record<string, unknown>[];

/** A private folder for what wrangler reads and writes; the hash of a password is in no argument and no log. */
class Database {
  readonly #options: Options;
  readonly #folder: string;

  constructor(options: Options, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  async query(sql: string): Promise<Rows> {
    const text = await this.#execute(["--command", sql]);
    // Its warnings stand in the same output, before or after the answer.
    const [json = "[]"] = /^\[$[^]*?^\]$/m.exec(text) ?? [];
    const [answer] = JSON.parse(json) as { results?: Rows }[];
    return answer?.results ?? [];
  }

  async run(sql: string): Promise<void> {
    const file = join(this.#folder, "statements.sql");
    writeFileSync(file, sql, { mode: 0o600 });
    await this.#execute(["--file", file, "--yes"]);
  }

  async #execute(what: string[]): Promise<string> {
    const { remote, stateDir } = this.#options;
    const where = remote ? ["--remote"] : ["--local", "--persist-to", stateDir];
    const file = join(this.#folder, "output.txt");
    const output = openSync(file, "w", 0o600);
    try {
      const args = ["d1", "execute", "overtone", ...where, "--json", ...what];
      const { code } = await endOf(
        remote ? spawnRemote(args, output) : spawnWrangler(args, { output, scratchDir: stateDir }),
      );
      const text = readFileSync(file, "utf8");
      if (code !== 0) throw new Error(`wrangler ended with exit code ${code}:\n${text.trim().slice(-2_000)}`);
      return text;
    } finally {
      closeSync(output);
    }
  }
}

/** With the account that wrangler is signed in to; what it says besides the answer goes to the terminal. */
function spawnRemote(args: readonly string[], output: number) {
  const wrangler = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));
  return spawn(process.execPath, [wrangler, ...args], { cwd: projectRoot, stdio: ["ignore", output, "inherit"] });
}

async function ask(question: string, options: { hidden: boolean }): Promise<string> {
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({
    input: process.stdin,
    output: options.hidden ? nothing : process.stdout,
    terminal: true,
  });
  if (options.hidden) process.stdout.write(question);
  const answer = await terminal.question(options.hidden ? "" : question);
  terminal.close();
  if (options.hidden) print();
  return answer;
}

async function readPassword(): Promise<string> {
  if (!process.stdin.isTTY) return firstLine();
  const password = await ask("Password: ", { hidden: true });
  if ((await ask("Once more: ", { hidden: true })) !== password) throw new Error("The two passwords differ.");
  return password;
}

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
  for await (const line of lines) return line;
  throw new Error("Give the password on the first line of standard input, or run this on a terminal.");
}

async function create(options: Options, folder: string): Promise<string> {
  if (!options.remote) {
    await refuseSharedState(options.stateDir);
    await migrateLocal({ stateDir: options.stateDir, logFile: join(options.stateDir, "admin-create.log") });
  }
  const database = new Database(options, folder);
  const [found] = await database.query(countSuperadmins);
  if (Number(found?.["superadmins"]) > 0 && !options.another)
    throw new Error(
      "There is a superadmin already, who makes others by POST /v1/admin/admins. To make another here: --force-another.",
    );
  const given = options.email ?? (process.stdin.isTTY ? await ask("E-mail address: ", { hidden: false }) : undefined);
  if (given === undefined) throw new Error("Name the address by --email <address>.");
  const email = readEmail(given);
  const [account] = await database.query(findAccount(email));
  await database.run(await statementsFor(options, email, account));
  const [now] = await database.query(findAccount(email));
  if (now?.["role"] !== "superadmin") throw new Error("Nothing was changed: somebody made a superadmin meanwhile.");
  return account
    ? `${email} is a superadmin now, with the password of the account.`
    : `${email} is a superadmin now. Sign in by POST /v1/auth/login.`;
}

async function statementsFor(options: Options, email: string, account: Rows[number] | undefined): Promise<string> {
  const nowMs = Date.now();
  if (account) {
    if (account["status"] !== "active") throw new Error("The account of this address is suspended.");
    if (account["parent"] !== null)
      throw new Error("The account of this address is a sub-user, which cannot belong to staff.");
    if (account["proven"] === null && !options.trusts)
      throw new Error(
        "The account of this address has not proven it, so somebody else may have registered it. If it is yours: --trust-address.",
      );
    return promoteStatements({ id: String(account["id"]), role: String(account["role"]) }, nowMs, options);
  }
  const password = await readPassword();
  const common = readFileSync(join(projectRoot, "src/features/accounts/common-passwords.txt"), "utf8");
  const fault = passwordFault(password, common);
  if (fault !== null) throw new Error(fault);
  const name = (options.name ?? email.split("@", 1)[0] ?? email).slice(0, 100);
  return createStatements({ email, name, passwordPhc: await hashPassword(password), nowMs }, options);
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), "admin-create-"));
  try {
    print(await create(readOptions(), folder));
  } catch (error) {
    printError(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
