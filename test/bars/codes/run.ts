/**
 * Thousands of guesses at once at a mailed code: at most five are compared, the right code is spent with them, and its owner still gets in
 * by the password and by a new code. Wrong passwords lock the password, and the owner gets in by a code. `npm run bar:codes`
 */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { type Bar, type BarOptions, type BarResult, main, type MutantRun, note } from "../options.ts";
import { type Person, signUp } from "../people.ts";
import { type Chance, makeChance } from "../random.ts";
import { openStage, type Patch, type Stage } from "../stage.ts";
import { readState, setRole } from "../state.ts";
import { type Answer, makeAddresses, post } from "../strangers.ts";

interface CodesMutant extends MutantRun {
  patches: Patch[];
}

const codeRules = "src/durable/session-store/code-rules.ts";

const mutants: CodesMutant[] = [
  {
    name: "endless-tries",
    provenBy: "evaluated",
    patches: [{ file: codeRules, find: "export const maxTries = 5;", replace: "export const maxTries = 1_000_000;" }],
  },
  {
    name: "uncounted-tries",
    provenBy: "spent",
    patches: [
      {
        file: "src/durable/session-store/code-rows.ts",
        find: "tries: record.tries + 1",
        replace: "tries: record.tries",
      },
    ],
  },
  {
    name: "owner-waits",
    provenBy: "owner",
    patches: [
      {
        file: codeRules,
        find: "if (record.hash !== null && record.tries >= maxTries) return { ok: true };",
        replace: "",
      },
    ],
  },
];

export const bar: Bar = { name: "codes", mutants, run };

const maxEvaluated = 5;
const atOnce = 200;
const digits = 6;
const usesOfAddress = 20;

interface Purpose {
  name: "sign-in" | "reset";
  askPath: string;
  guessPath: string;
  template: string;
  body(email: string, code: string): Record<string, string>;
}

const purposes: Purpose[] = [
  {
    name: "sign-in",
    askPath: "/v1/auth/email-code",
    guessPath: "/v1/auth/email-code/verify",
    template: "sign-in-code",
    body: (email, code) => ({ email, code }),
  },
  {
    name: "reset",
    askPath: "/v1/auth/forgot-password",
    guessPath: "/v1/auth/reset-password",
    template: "reset-password",
    body: (email, code) => ({ email, code, newPassword: "a new and long enough one" }),
  },
];

interface Scene {
  stage: Stage;
  chance: Chance;
  /** From where the next request comes: open operations allow 600 a minute from one address, sign-ins 100, codes 30. */
  address(): string;
  admin: Person;
  violations: string[];
}

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const ownGuesses = options.quick ? 2_000 : 20_000;
  const guesses = variant === null ? ownGuesses : 300;
  note(`codes${variant === null ? "" : `, mutant ${variant}`}: ${guesses} guesses, seed ${options.seed}`);
  const stage = await openStage(mutants.find(({ name }) => name === variant)?.patches ?? []);
  const violations: string[] = [];
  try {
    await stage.start();
    const [admin, victim, locked] = [await signUp(stage.url), await signUp(stage.url), await signUp(stage.url)];
    await stage.stop();
    setRole(stage.stateDir, { userId: admin.userId, role: "superadmin" });
    await stage.start();
    const scene: Scene = {
      stage,
      chance: makeChance(options.seed),
      address: makeAddresses(1, usesOfAddress),
      admin,
      violations,
    };
    const answers: Record<string, number> = {};
    const guessed: Guess[] = [];
    for (const purpose of purposes) {
      // A guess at a reset costs a hash, so it takes fewer of them to tell.
      const count = purpose.name === "sign-in" ? guesses : Math.ceil(guesses / 20);
      const right = { purpose, email: victim.email, code: await askCode(scene, purpose, victim.email) };
      guessed.push(right);
      for (const [status, times] of await storm(scene, right, count)) answers[`${purpose.name} ${status}`] = times;
    }
    const evaluated = await countTries(scene);
    if (evaluated.length !== purposes.length) violations.push(`spent: ${evaluated.length} codes were counted`);
    for (const tries of evaluated)
      if (tries > maxEvaluated) violations.push(`evaluated: ${tries} guesses at one code`);
      else if (tries < maxEvaluated) violations.push(`spent: only ${tries} guesses were counted`);
    for (const right of guessed) await verifySpent(scene, right);
    await verifyOwner(scene, victim);
    await verifyLocked(scene, locked);
    return { ok: violations.length === 0, counts: { guesses, atOnce }, evaluated, answers, violations };
  } finally {
    await stage.remove();
  }
}

/** Never the body of a success: it holds tokens. */
const tell = ({ status, text }: Answer) => (status < 400 ? String(status) : `${status} ${text.slice(0, 200)}`);

/** Asks for a code and reads it in the outbox, as its owner would in the box. */
async function askCode({ stage, address, admin }: Scene, purpose: Purpose, email: string): Promise<string> {
  const before = await mailsTo(stage, admin, email);
  const answer = await post(`${stage.url}${purpose.askPath}`, { email }, address());
  if (answer.status !== 200) throw new Error(`a code for ${purpose.name} answered ${tell(answer)}`);
  for (const until = Date.now() + 30_000; Date.now() < until; await pause(200)) {
    const known = new Set(before.map(({ id }) => id));
    const mail = (await mailsTo(stage, admin, email)).find(
      ({ id, template }) => template === purpose.template && !known.has(id),
    );
    const code = mail && /^ {4}(\d+)$/m.exec(mail.text ?? "")?.[1];
    if (code) return code;
  }
  throw new Error(`no code for ${purpose.name} was mailed`);
}

interface Mail {
  id: string;
  template: string;
  text: string | null;
}

async function mailsTo({ url }: Stage, { token }: Person, email: string): Promise<Mail[]> {
  const answer = await fetch(`${url}/v1/admin/outbox?to=${encodeURIComponent(email)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (!answer.ok) throw new Error(`the outbox answered ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { items: Mail[] }).items;
}

interface Guess {
  purpose: Purpose;
  email: string;
  code: string;
}

/** Every guess is another code, none of them the right one, each from another network address. */
async function storm({ stage, chance, address, violations }: Scene, { purpose, email, code }: Guess, count: number) {
  const offset = chance.between(0, 10 ** digits - 1);
  const codes = Array.from({ length: count + 1 }, (_, index) =>
    String((offset + index) % 10 ** digits).padStart(digits, "0"),
  )
    .filter((guess) => guess !== code)
    .slice(0, count);
  const seen = new Map<number, number>();
  const worker = async () => {
    for (let guess = codes.pop(); guess !== undefined; guess = codes.pop()) {
      const { status } = await post(`${stage.url}${purpose.guessPath}`, purpose.body(email, guess), address()).catch(
        lost,
      );
      seen.set(status, (seen.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  // 503: the hasher has more to do than it takes on, and nothing was compared.
  const strange = [...seen.keys()].filter((status) => status < 400 || (status >= 500 && status !== 503));
  if (strange.length > 0) violations.push(`answers: guesses at ${purpose.name} were answered ${strange.join(", ")}`);
  return seen;
}

/** A guess without an answer is a fault of its own, and no reason not to count those that were compared. */
function lost(error: Error): { status: number } {
  note(`codes: a guess got no answer: ${error.message}`);
  return { status: 0 };
}

/** The tries that each living code's own record counted. Nothing is compared without being written there first. */
async function countTries({ stage }: Scene): Promise<number[]> {
  await stage.stop();
  const rows = readState(stage.stateDir).objects<{ record: string }>("SessionStore", "SELECT record FROM code");
  await stage.start();
  const records = rows.map(({ record }) => JSON.parse(record) as { hash: string | null; tries: number });
  return records.filter(({ hash }) => hash !== null).map(({ tries }) => tries);
}

/** The right code comes too late. */
async function verifySpent({ stage, address, violations }: Scene, { purpose, email, code }: Guess): Promise<void> {
  const answer = await post(`${stage.url}${purpose.guessPath}`, purpose.body(email, code), address());
  if (answer.status < 400) violations.push(`spent: the code of ${purpose.name} still worked, ${tell(answer)}`);
}

async function verifyOwner(scene: Scene, { email, password }: Person): Promise<void> {
  const { stage, address, violations } = scene;
  const signedIn = await post(`${stage.url}/v1/auth/login`, { email, password }, address());
  if (signedIn.status !== 200) violations.push(`owner: the password was answered ${tell(signedIn)}`);
  await enterByCode(scene, email);
}

async function enterByCode(scene: Scene, email: string): Promise<void> {
  const { stage, address, violations } = scene;
  const [byCode] = purposes;
  if (!byCode) throw new Error("no purpose");
  try {
    const code = await askCode(scene, byCode, email);
    const entered = await post(`${stage.url}${byCode.guessPath}`, byCode.body(email, code), address());
    if (entered.status !== 200) violations.push(`owner: a new code was answered ${tell(entered)}`);
  } catch (error) {
    violations.push(`owner: ${(error as Error).message}`);
  }
}

/** Strangers lock the password of somebody, all at once; a code lets the owner in. */
async function verifyLocked(scene: Scene, { email, password }: Person): Promise<void> {
  const { stage, address, violations } = scene;
  const login = (given: string) => post(`${stage.url}/v1/auth/login`, { email, password: given }, address());
  const tries = await Promise.all(Array.from({ length: 40 }, () => login(randomBytes(9).toString("base64url"))));
  const compared = tries.filter(({ status }) => status === 401).length;
  if (compared > maxEvaluated) violations.push(`evaluated: ${compared} passwords`);
  const right = await login(password);
  if (right.status !== 423) violations.push(`locked: the right password was answered ${tell(right)}`);
  await enterByCode(scene, email);
}

if (import.meta.main) await main(bar);
