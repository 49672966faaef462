/** After the last stop, from the files of the server: one row a request, one end a job, one holding a thing, no object without a row. */
import { readState, type LocalState } from "../state.ts";
import type { Records } from "./work.ts";

export interface Evidence {
  rows: {
    conversions: number;
    uploads: number;
    files: number;
    jobs: number;
    images: number;
    holdings: number;
    objects: number;
  };
  /** Jobs that a second run had to take up. */
  jobsTakenUpAgain: number;
  /** Multipart uploads that nobody ended: storage drops them by itself after seven days. */
  openMultiparts: number;
  violations: string[];
}

interface Counted {
  id: string;
  count: number;
}

export function gatherEvidence(stateDir: string, records: Records): Evidence {
  const state = readState(stateDir);
  const one = (sql: string) => state.database<{ count: number }>(sql)[0]?.count ?? 0;
  const violations = [
    ...requestsOnce(state, records),
    ...jobsOnce(state),
    ...imagesWhole(state),
    ...objectsOwned(state),
    ...holdingsRight(state),
  ];
  return {
    rows: {
      conversions: one("SELECT count(*) AS count FROM conversions"),
      uploads: one("SELECT count(*) AS count FROM uploads"),
      files: one("SELECT count(*) AS count FROM files"),
      jobs: one("SELECT count(*) AS count FROM jobs"),
      images: one("SELECT count(*) AS count FROM conversion_images"),
      holdings: state.objects("Ledger", "SELECT id FROM holdings").length,
      objects: state.bucket("SELECT key FROM _mf_objects").length,
    },
    jobsTakenUpAgain: one("SELECT count(*) AS count FROM jobs WHERE attempt > 1"),
    openMultiparts: state.bucket("SELECT upload_id FROM _mf_multipart_uploads WHERE state = 0").length,
    violations,
  };
}

/** A row that no client knows of came of a request that was carried out twice. */
function requestsOnce(state: LocalState, { conversions, uploads }: Records): string[] {
  const ids = (sql: string) => state.database<{ id: string }>(sql).map(({ id }) => id);
  const known = new Set(conversions.map(({ conversionId }) => conversionId));
  const rows = ids("SELECT id FROM conversions");
  const formFiles = ids(
    "SELECT f.id FROM files f JOIN conversions c ON c.input_file_id = f.id JOIN uploads u ON u.file_id = f.id WHERE u.strategy = 'form'",
  );
  const knownUploads = new Set(uploads.map(({ uploadId }) => uploadId));
  const knownFiles = new Set([
    ...uploads.map(({ fileId }) => fileId),
    ...formFiles,
    ...ids("SELECT output_file_id AS id FROM conversions WHERE output_file_id IS NOT NULL"),
  ]);
  return [
    ...strangers("doubled: conversion", rows, known),
    ...strangers("lost: conversion", known, new Set(rows)),
    ...strangers("doubled: upload", ids("SELECT id FROM uploads WHERE strategy <> 'form'"), knownUploads),
    ...strangers("doubled: file", ids("SELECT id FROM files WHERE deleted_at IS NULL"), knownFiles),
    ...ids("SELECT key AS id FROM idempotency_keys WHERE status IS NULL").map(
      (key) => `lost: the answer to ${key} was never kept`,
    ),
    ...repeated(
      state,
      "doubled: audit entry of",
      "SELECT target AS id, count(*) AS count FROM audit_log WHERE action IN ('upload.create', 'upload.complete') GROUP BY action, target HAVING count(*) > 1",
    ),
  ];
}

function strangers(what: string, ids: Iterable<string>, known: ReadonlySet<string>): string[] {
  return [...ids].filter((id) => !known.has(id)).map((id) => `${what} ${id}`);
}

function repeated(state: LocalState, what: string, sql: string): string[] {
  return state.database<Counted>(sql).map(({ id, count }) => `${what} ${id}, ${count} times`);
}

function jobsOnce(state: LocalState): string[] {
  const ends = "type IN ('succeeded', 'failed', 'cancelled')";
  return [
    ...repeated(
      state,
      "doubled: end of job",
      `SELECT job_id AS id, count(*) AS count FROM job_events WHERE ${ends} GROUP BY job_id HAVING count(*) > 1`,
    ),
    ...repeated(
      state,
      "lost: end of job",
      `SELECT id, 0 AS count FROM jobs WHERE ended_at IS NOT NULL AND id NOT IN (SELECT job_id FROM job_events WHERE ${ends})`,
    ),
    ...repeated(
      state,
      "lost: job not ended",
      "SELECT id || ' ' || name || ' ' || state AS id, attempt AS count FROM jobs WHERE ended_at IS NULL AND run_at < created_at + 86400000",
    ),
    ...repeated(
      state,
      "doubled: job",
      "SELECT c.job_id AS id, count(*) AS count FROM conversions c GROUP BY c.job_id HAVING count(*) > 1",
    ),
    ...repeated(
      state,
      "doubled: conversion job without conversion",
      "SELECT id, 1 AS count FROM jobs WHERE name IN ('conversions.seal-audio', 'conversions.open-images') AND id NOT IN (SELECT job_id FROM conversions)",
    ),
  ];
}

function imagesWhole(state: LocalState): string[] {
  const listed = "SELECT count(*) FROM conversion_images i WHERE i.conversion_id = c.id";
  const sealed = "c.conversion_type = 'audio-to-image' AND c.deleted_at IS NULL AND j.state = 'succeeded'";
  return repeated(
    state,
    "lost: images of",
    `SELECT c.id, (${listed}) AS count FROM conversions c JOIN jobs j ON j.id = c.job_id WHERE ${sealed} AND (c.image_count IS NULL OR c.image_count <> (${listed}))`,
  );
}

interface Stored {
  key: string;
  size: number;
}

function objectsOwned(state: LocalState): string[] {
  const objects = new Map(
    state.bucket<Stored>("SELECT key, size FROM _mf_objects").map(({ key, size }) => [key, size]),
  );
  const wanted = state.database<Stored>(
    "SELECT r2_key AS key, size_bytes AS size FROM files WHERE purged_at IS NULL UNION ALL SELECT r2_key AS key, size_bytes AS size FROM conversion_images",
  );
  const keys = new Set(wanted.map(({ key }) => key));
  return [
    ...wanted
      .filter(({ key, size }) => objects.get(key) !== size)
      .map(({ key, size }) => `lost: object ${key} of ${size} bytes is ${objects.get(key) ?? "not there"}`),
    ...[...objects.keys()].filter((key) => !keys.has(key)).map((key) => `orphan: object ${key} has no row`),
  ];
}

interface Holding {
  id: string;
  state: string;
  amount: number;
}

/** A file holds its size and a sealed conversion its images; nothing else holds anything once all work has ended. */
function holdingsRight(state: LocalState): string[] {
  const held = new Map(
    state
      .objects<Holding>("Ledger", "SELECT id, state, amount FROM holdings WHERE meter = 'storage'")
      .map((holding) => [holding.id, holding]),
  );
  const wanted = state.database<{ id: string; amount: number }>(
    `SELECT id, size_bytes AS amount FROM files WHERE deleted_at IS NULL
     UNION ALL SELECT id, total_image_bytes AS amount FROM conversions WHERE conversion_type = 'audio-to-image' AND deleted_at IS NULL AND total_image_bytes IS NOT NULL`,
  );
  const ids = new Set(wanted.map(({ id }) => id));
  const wrong = wanted.filter(({ id, amount }) => held.get(id)?.state !== "settled" || held.get(id)?.amount !== amount);
  return [
    ...wrong.map(
      ({ id, amount }) => `meter: ${id} should hold ${amount} and holds ${JSON.stringify(held.get(id) ?? null)}`,
    ),
    ...[...held.values()]
      .filter(({ id }) => !ids.has(id))
      .map(({ id, state: how, amount }) => `orphan: ${how} holding ${id} of ${amount}`),
  ];
}
