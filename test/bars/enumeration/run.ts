/**
 * Does an answer, or the time that it takes, tell whether an address has an account? Sign-in, forgotten passwords, mailed codes, asking
 * for another one and guessing them, for known and unknown addresses in turn. `npm run bar:enumeration`
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Bar, type BarOptions, type BarResult, main, type MutantRun, note } from "../options.ts";
import { signUp } from "../people.ts";
import { type Chance, makeChance } from "../random.ts";
import { openStage, type Patch, type Stage } from "../stage.ts";
import { multiplyPerson } from "../state.ts";
import { type Answer, makeAddresses, post } from "../strangers.ts";
import { differenceOf, faceOf, type Finding, findingOf, type Sample, type Verdict, verdictOn } from "./compare.ts";

interface EnumerationMutant extends MutantRun {
  patches: Patch[];
}

const accounts = "src/features/accounts";

const mutants: EnumerationMutant[] = [
  {
    name: "no-hash-for-nobody",
    provenBy: "time: sign-in",
    patches: [
      {
        file: `${accounts}/sign-in.ts`,
        find: ": await verifyAgainstNothing(ctx.objects.HASHER, password, hasherChoice(ctx))",
        replace: ": { ok: true as const, matches: false, needsUpgrade: false }",
      },
    ],
  },
  {
    name: "told-by-status",
    provenBy: "answer: forgot",
    patches: [
      {
        file: `${accounts}/asked-codes.ts`,
        find: "async function sendAskedCode(ctx: Ctx, { purpose, address, subject }: Asked) {",
        replace: `async function sendAskedCode(ctx: Ctx, { purpose, address, subject }: Asked) {
  if (!(await findByEmail(ctx.db, address))) throw new Problem("user-not-found");`,
      },
    ],
  },
  {
    name: "no-job-for-nobody",
    provenBy: "time: forgot",
    patches: [
      {
        file: `${accounts}/asked-codes.ts`,
        find: "await commitWithJobs(ctx, [], [mailCodeJob.row(owner, { purpose, address, sealed })]);",
        replace: `if (await findByEmail(ctx.db, address))
    await commitWithJobs(ctx, [], [mailCodeJob.row(owner, { purpose, address, sealed })]);`,
      },
    ],
  },
];

export const bar: Bar = { name: "enumeration", mutants, run };

const share = 0.05;
/** All pairs that were taken count, never only the last; an operation that was told apart or held is not asked further. */
const maxBatches = { full: 24, quick: 2, mutant: 12 };
/** What an answer leaves to be done after it is over by then: it shall not be measured with the next request. */
const settleMs = 10;
/** Fewer than the 30 a minute that are mailed for one network address. */
const usesOfAddress = 20;
/** A guess of a code that was never made: letters are no digits. */
const wrongCode = "none";

interface Operation {
  name: string;
  path: string;
  /** Where a code is asked for before, so that there is one to guess at. */
  after?: string;
  body(email: string): Record<string, string>;
  /** How often each address is asked; what it is answered may change with each time. */
  times: number;
  /** Which of the times are measured. */
  measured: [first: number, last: number];
}

const wrongPassword = { password: "not the password of anybody" };
const operations: Operation[] = [
  // The fifth failure locks: those after it are compared and not measured.
  {
    name: "sign-in",
    path: "/v1/auth/login",
    body: (email) => ({ email, ...wrongPassword }),
    times: 7,
    measured: [1, 4],
  },
  { name: "forgot", path: "/v1/auth/forgot-password", body: (email) => ({ email }), times: 1, measured: [1, 1] },
  { name: "forgot again", path: "/v1/auth/forgot-password", body: (email) => ({ email }), times: 3, measured: [2, 3] },
  { name: "mailed code", path: "/v1/auth/email-code", body: (email) => ({ email }), times: 1, measured: [1, 1] },
  { name: "resend", path: "/v1/auth/email-code", body: (email) => ({ email }), times: 3, measured: [2, 3] },
  {
    name: "guess",
    after: "/v1/auth/email-code",
    path: "/v1/auth/email-code/verify",
    body: (email) => ({ email, code: wrongCode }),
    times: 7,
    measured: [1, 4],
  },
  {
    name: "reset",
    after: "/v1/auth/forgot-password",
    path: "/v1/auth/reset-password",
    body: (email) => ({ email, code: wrongCode, newPassword: "another long enough one" }),
    times: 7,
    measured: [1, 4],
  },
];

/** Pairs of each operation in one batch. */
const pairsEach = { full: 150, reduced: 40 };

interface Course {
  operation: Operation;
  sample: Sample;
  finding: Finding;
  verdict: Verdict;
}

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const mutant = mutants.find(({ name }) => name === variant) ?? null;
  const pairs = options.quick || mutant ? pairsEach.reduced : pairsEach.full;
  const most = mutant ? maxBatches.mutant : options.quick ? maxBatches.quick : maxBatches.full;
  note(`enumeration${mutant ? `, mutant ${mutant.name}` : ""}: up to ${most} times ${pairs} pairs`);
  const stage = await openStage(mutant?.patches ?? []);
  try {
    const known = await populate(stage, pairs * most);
    const courses = operations.filter((operation) => !mutant || provesBy(mutant, operation)).map(begin);
    const violations = new Set<string>();
    const sides = { known: makeAddresses(1, usesOfAddress), unknown: makeAddresses(2, usesOfAddress) };
    const asking = { stage, chance: makeChance(options.seed), sides, violations };
    let requests = 0;
    let batches = 0;
    for (; batches < most && courses.some(isOpen) && !(mutant && violations.size > 0); batches += 1) {
      const people = known.slice(batches * pairs, (batches + 1) * pairs);
      for (const course of courses.filter(isOpen)) {
        const { operation, sample } = course;
        const asked = people.slice(0, Math.ceil(pairs / timesMeasured(operation)));
        requests += await ask(asking, operation, { people: asked, sample });
        course.finding = findingOf(course.sample);
        course.verdict = verdictOn(course.finding, share);
      }
      note(`enumeration: batch ${batches + 1}, ${JSON.stringify(Object.fromEntries(courses.map(summed)))}`);
    }
    for (const { operation, verdict, finding } of courses) {
      if (verdict === "apart") violations.add(`time: ${operation.name} ${JSON.stringify(finding)}`);
      // The pairs of a quick run are too few to hold anything; they only find what is plainly apart.
      if (verdict === "open" && !options.quick)
        violations.add(`undecided: ${operation.name} ${JSON.stringify(finding)}`);
    }
    const medians = Object.fromEntries(courses.map(summed));
    return { ok: violations.size === 0, batches, requests, medians, violations: [...violations] };
  } finally {
    await stage.remove();
  }
}

/** A mutant needs only the operation that its damage shows in. */
const provesBy = ({ provenBy }: EnumerationMutant, { name }: Operation) => provenBy.endsWith(`: ${name}`);

const timesMeasured = ({ measured: [first, final] }: Operation) => final - first + 1;
const isOpen = ({ verdict }: Course) => verdict === "open";

function begin(operation: Operation): Course {
  const sample: Sample = { known: [], unknown: [] };
  return { operation, sample, finding: findingOf(sample), verdict: "open" };
}

function summed({ operation, finding, verdict }: Course) {
  const rounded = (value: number) => Math.round(value * 1_000) / 1_000;
  const { pairs, knownMs, unknownMs, apart, between } = finding;
  const figures = { pairs, knownMs: rounded(knownMs), unknownMs: rounded(unknownMs), apart: rounded(apart) };
  return [operation.name, { ...figures, between: between.map(rounded), verdict }] as const;
}

/** People who have accounts; the first is made as everybody is, the others are copies. */
async function populate(stage: Stage, count: number): Promise<string[]> {
  await stage.start();
  const person = await signUp(stage.url);
  await stage.stop();
  const emails = multiplyPerson(stage.stateDir, { userId: person.userId, count });
  await stage.start();
  await warmUp(stage, person.email);
  return emails;
}

/** What is loaded with its first use shall not be measured with one side. */
async function warmUp({ url }: Stage, email: string): Promise<void> {
  for (const { path, body } of operations) {
    for (const address of [email, "warm-up@example.com"])
      for (let time = 0; time < 3; time += 1) await post(`${url}${path}`, body(address), `10.0.0.${time + 1}`);
  }
}

interface Asking {
  stage: Stage;
  chance: Chance;
  /** From where the next request of a side comes: both have used up the same of every limit. */
  sides: Record<"known" | "unknown", () => string>;
  violations: Set<string>;
}

/** Each known address beside an unknown one of the same form, in an order that chance decides. */
async function ask(
  { stage, chance, sides, violations }: Asking,
  operation: Operation,
  { people, sample }: { people: readonly string[]; sample: Sample },
): Promise<number> {
  const { name, path, after, body, times, measured } = operation;
  let requests = 0;
  for (const email of people) {
    const stranger = email.replace("copy-", "none-");
    const addresses = { known: email, unknown: stranger };
    for (const side of after === undefined ? [] : chance.shuffle(["known", "unknown"] as const))
      await post(`${stage.url}${after}`, { email: addresses[side] }, sides[side]());
    for (let time = 1; time <= times; time += 1) {
      const answers: Partial<Record<"known" | "unknown", Answer>> = {};
      for (const side of chance.shuffle(["known", "unknown"] as const)) {
        await pause(settleMs);
        answers[side] = await post(`${stage.url}${path}`, body(addresses[side]), sides[side]());
      }
      requests += 2;
      if (!answers.known || !answers.unknown) throw new Error("an answer is missing");
      const difference = differenceOf(faceOf(answers.known), faceOf(answers.unknown));
      if (difference.length > 0)
        violations.add(`answer: ${name}, time ${time}: ${difference.join(" | ")}`.slice(0, 500));
      if (time < measured[0] || time > measured[1]) continue;
      sample.known.push(answers.known.tookMs);
      sample.unknown.push(answers.unknown.tookMs);
    }
  }
  return requests;
}

if (import.meta.main) await main(bar);
