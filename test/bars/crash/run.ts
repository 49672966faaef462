/**
 * SIGKILL of the whole server while clients upload and convert: nothing that was acknowledged is lost, nothing is done twice, every hash
 * is equal, the meters are exact. `npm run bar:crash`
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Bar, type BarOptions, type BarResult, main, note } from "../options.ts";
import { type Person, startWithPeople } from "../people.ts";
import { makeChance } from "../random.ts";
import { openStage, type Patch } from "../stage.ts";
import { changeState } from "../state.ts";
import { call, newTally } from "./client.ts";
import { gatherEvidence } from "./evidence.ts";
import { conditions, mutants } from "./mutants.ts";
import type { Counts } from "./plan.ts";
import { runStorm } from "./storm.ts";
import { verifyAll } from "./verify.ts";
import { hexKey, nameOfFormatOne, type Office } from "./work.ts";

const uploadMebibytes = { least: 20, most: 60 };
const smallBytes = { least: 50_000, most: 2_000_000 };
const killsAt = ["promise", "moment"] as const;
const full: Counts = { uploads: 40, uploadMebibytes, conversions: 200, smallBytes, kills: 20, killsAt };
const reduced: Counts = { uploads: 6, uploadMebibytes, conversions: 20, smallBytes, kills: 3, killsAt };
/** A mutant needs no more than shows it; its files take long enough to seal that a kill finds some waiting. */
const least: Counts = {
  uploads: 2,
  uploadMebibytes: { least: 20, most: 30 },
  conversions: 16,
  smallBytes: { least: 4_000_000, most: 8_000_000 },
  kills: 3,
  killsAt: ["promise"],
};

const people = 4;
/** Re-offer and lease of the product come to 90 s; the rest is room for a slow machine, whose queue works off one by one. */
const drainSeconds = { own: 240, underConditions: 45 };
const verifySeconds = 600;
/** Housekeeping after the storm: all three crons, then time for what they started. */
const crons = ["* * * * *", "17 * * * *", "10 2 * * *"];
const settleSeconds = 120;

const control = "control";

export const bar: Bar = { name: "crash", mutants, control, run };

interface Setting {
  counts: Counts;
  drainSeconds: number;
  patches: Patch[];
  lostReplyShare: number;
  /** A mutant has shown itself by then, or not at all. */
  verifies: boolean;
}

function settingOf(options: BarOptions, variant: string | null): Setting {
  if (variant === null) {
    const counts = options.quick ? reduced : full;
    return { counts, drainSeconds: drainSeconds.own, patches: [], lostReplyShare: 0.12, verifies: true };
  }
  const patches = [...conditions, ...(mutants.find(({ name }) => name === variant)?.patches ?? [])];
  const verifies = variant === control;
  // With so few requests a mutant would otherwise get away by chance.
  return { counts: least, drainSeconds: drainSeconds.underConditions, patches, lostReplyShare: 0.4, verifies };
}

async function run(options: BarOptions, variant: string | null): Promise<BarResult> {
  const setting = settingOf(options, variant);
  note(`crash${variant === null ? "" : `, ${variant}`}: ${JSON.stringify(setting.counts)}, seed ${options.seed}`);
  const stage = await openStage(setting.patches);
  try {
    const crew = await startWithPeople(stage, people);
    const office: Office = {
      stage,
      chance: makeChance(options.seed),
      tally: newTally(),
      lostReplyShare: setting.lostReplyShare,
      underWay: 0,
      deadlineMs: Number.POSITIVE_INFINITY,
      people: crew,
      importedKeys: new Map(),
      records: { uploads: [], conversions: [], refused: [], unfinished: [] },
      onPromise: null,
    };
    office.importedKeys = await importKeys(office, crew);
    const storm = await runStorm(office, setting);
    const acknowledged = countAcknowledged(office);
    office.deadlineMs = Date.now() + verifySeconds * 1_000;
    const verified = await verifyAll(office, { downloads: setting.verifies });
    if (setting.verifies) await settle(office);
    await stage.stop();
    if (setting.verifies) await sweepLeftovers(office);
    const evidence = gatherEvidence(stage.stateDir, office.records);
    return resultOf({ setting, storm, acknowledged, verified, evidence, office });
  } finally {
    await stage.remove();
  }
}

function countAcknowledged({ records }: Office) {
  const large = records.uploads.filter(({ name }) => name.startsWith("upload-")).length;
  return { uploads: large, smallUploads: records.uploads.length - large, conversions: records.conversions.length };
}

async function importKeys(office: Office, crew: readonly Person[]): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const { token, workspaceId } of crew) {
    const body = { keyType: "master", format: 1, keyHex: hexKey(`import ${workspaceId}`), userId: nameOfFormatOne };
    const answer = await call(office, { method: "POST", path: "/v1/encryption-keys", token, body });
    if (answer.status !== 201)
      throw new Error(`import of a key answered ${answer.status} ${JSON.stringify(answer.body)}`);
    keys.set(workspaceId, String(answer.body.id));
  }
  return keys;
}

/** Runs the sweeps and waits until nothing that is due is left to do. What is planned for a later day stays. */
async function settle(office: Office): Promise<void> {
  for (const cron of crons) await office.stage.tick(cron);
  office.deadlineMs = Date.now() + settleSeconds * 1_000;
  while ((await countWaiting(office)) > 0) {
    await pause(1_000);
    await office.stage.tick("* * * * *");
  }
}

/**
 * A form that a kill cut off leaves an upload behind, and its client sent it anew as another one: a day later it expires. That day passes
 * here, so that what the sweep removes and leaves alone is part of the evidence.
 */
async function sweepLeftovers(office: Office): Promise<void> {
  const { stage } = office;
  const sql =
    "UPDATE uploads SET sweep_at = 1, expires_at = 1, urls_expire_at = min(urls_expire_at, 1) WHERE sweep_at IS NOT NULL";
  changeState(stage.stateDir, [{ sql, values: [] }]);
  await stage.start();
  await settle(office);
  await stage.stop();
}

async function countWaiting(office: Office): Promise<number> {
  let waiting = 0;
  for (const { token } of office.people) {
    for (const state of ["queued", "running"]) {
      const { body } = await call(office, {
        method: "GET",
        path: `/v1/jobs?include=all&state=${state}&limit=100`,
        token,
      });
      waiting += (body.items as unknown[]).length;
    }
  }
  return waiting;
}

interface Seen {
  setting: Setting;
  storm: Awaited<ReturnType<typeof runStorm>>;
  acknowledged: ReturnType<typeof countAcknowledged>;
  verified: Awaited<ReturnType<typeof verifyAll>>;
  evidence: ReturnType<typeof gatherEvidence>;
  office: Office;
}

function resultOf({ setting, storm, acknowledged, verified, evidence, office }: Seen): BarResult {
  const violations = [...verified.violations, ...evidence.violations];
  const count = (word: string) => violations.filter((violation) => violation.startsWith(word)).length;
  const sorted = storm.restartSeconds.toSorted((a, b) => a - b);
  const { uploads, conversions, kills } = setting.counts;
  const { uploads: large, conversions: taken } = acknowledged;
  if (setting.verifies && (large !== uploads || taken !== conversions))
    violations.push(
      `lost: ${large} of ${uploads} uploads and ${taken} of ${conversions} conversions were acknowledged`,
    );
  return {
    ok: violations.length === 0,
    counts: { uploads, conversions, kills },
    acknowledged,
    lost: count("lost"),
    doubled: count("doubled"),
    hashesUnequal: count("hash"),
    orphans: count("orphan"),
    meterWrong: count("meter"),
    uploadsVerified: verified.uploadsVerified,
    opensVerified: verified.sealsOpened,
    requestsHitByKills: storm.hit.reduce((sum, hit) => sum + hit, 0),
    conversionsOpenAtKills: storm.open.reduce((sum, open) => sum + open, 0),
    restartSecondsMedian: sorted[Math.floor(sorted.length / 2)] ?? null,
    drainSeconds: storm.drainSeconds,
    failedTicks: storm.failedTicks,
    ...office.tally,
    rows: evidence.rows,
    jobsTakenUpAgain: evidence.jobsTakenUpAgain,
    openMultiparts: evidence.openMultiparts,
    violations,
  };
}

if (import.meta.main) await main(bar);
