/** Files: reading, naming, deleting. A deleted one is gone for everybody at once; its bytes are kept 30 days for a restore. */
import { auditEntry } from "#core/audit";
import type { WorkspaceCtx } from "#core/context";
import { commitWithJobs } from "#core/job";
import { readCursor, toPage } from "#core/page";
import { Problem } from "#core/problem";
import { cleanFileName } from "#lib/file-name";
import { tellDeleted } from "./announce.ts";
import { purgeFileJob } from "./jobs/purge-file.ts";
import { releaseStorageJob } from "./jobs/release-storage.ts";
import { deletedKeptMs, requireClaimedType } from "./rules.ts";
import type { FileShape } from "./shapes.ts";
import type { FileKind, FileOrigin } from "./states.ts";
import {
  findFile,
  findFiles,
  guardFile,
  guardUnusedFile,
  isGuardFailure,
  listFiles,
  listFileUses,
  markDeleted,
  renameFile as renameStatement,
} from "./store.ts";
import type { FileRow } from "./tables.ts";

export function toFile(row: FileRow): FileShape {
  const self = `/v1/files/${row.id}`;
  return {
    id: row.id,
    name: row.name,
    contentType: row.contentType,
    kind: row.kind,
    sizeBytes: row.sizeBytes,
    sha256: row.sha256,
    origin: row.origin,
    createdAt: new Date(row.createdAt).toISOString(),
    updatedAt: new Date(row.updatedAt).toISOString(),
    links: { self, content: `${self}/content` },
  };
}

/** Throws `file-not-found`, alike for unknown, foreign and deleted files. */
export async function getFile(ctx: WorkspaceCtx, id: string): Promise<FileRow> {
  const row = await findFile(ctx, ctx.workspaceId, id);
  if (!row) throw new Problem("file-not-found");
  return row;
}

/** In the order of the ids, each once. Throws `file-not-found` when one of them (at most 1,000) is not there. */
export async function listFilesById(ctx: WorkspaceCtx, ids: readonly string[]): Promise<FileRow[]> {
  if (ids.length === 0) return [];
  const wanted = [...new Set(ids)];
  if (wanted.length > 1_000) throw new RangeError("at most 1,000 files at once");
  const byId = new Map((await findFiles(ctx, ctx.workspaceId, wanted)).map((row) => [row.id, row]));
  return wanted.map((id) => {
    const row = byId.get(id);
    if (!row)
      throw new Problem("file-not-found", { detail: "One of the files does not exist.", members: { fileId: id } });
    return row;
  });
}

interface FileQuery {
  limit: number;
  cursor?: string | undefined;
  kind?: FileKind | undefined;
  origin?: FileOrigin | undefined;
}

export async function listFilePage(ctx: WorkspaceCtx, query: FileQuery) {
  const filter = {
    kind: query.kind ?? null,
    origin: query.origin ?? null,
    before: readCursor(query),
    limit: query.limit + 1,
  };
  return toPage(await listFiles(ctx, ctx.workspaceId, filter), query.limit, toFile);
}

/** The extension must still go with the content: the name is what a download is saved and opened by. */
export async function renameFile(ctx: WorkspaceCtx, id: string, name: string): Promise<FileRow> {
  const file = await getFile(ctx, id);
  const clean = cleanFileName(name);
  requireClaimedType(clean, file.contentType);
  if (clean === file.name) return file;
  const statements = [
    guardFile(ctx, ctx.workspaceId, id),
    renameStatement(ctx, file, clean),
    auditEntry(ctx, "file.rename", { target: id }),
  ] as const;
  try {
    await ctx.db.batch(statements);
  } catch (error) {
    throw isGuardFailure(error) ? new Problem("file-not-found") : error;
  }
  return getFile(ctx, id);
}

/** Without `force` a file that a running conversion reads stays: 409 `file-in-use`. The quota is given back at once. */
export async function deleteFile(ctx: WorkspaceCtx, id: string, { force }: { force: boolean }): Promise<void> {
  const file = await getFile(ctx, id);
  const release = releaseStorageJob.row(ctx, { fileId: id });
  const purge = purgeFileJob.row(ctx, { fileId: id }, { runAt: ctx.now() + deletedKeptMs });
  const guard = force ? guardFile(ctx, ctx.workspaceId, id) : guardUnusedFile(ctx, ctx.workspaceId, id);
  const audit = auditEntry(ctx, "file.delete", { target: id, details: { sizeBytes: file.sizeBytes, force } });
  try {
    await commitWithJobs(
      ctx,
      [guard, markDeleted(ctx, file), audit, purge.statement],
      [release, ...tellDeleted(ctx, file)],
    );
  } catch (error) {
    if (!isGuardFailure(error)) throw error;
    const references = await listFileUses(ctx, ctx.workspaceId, id);
    throw references.length > 0
      ? new Problem("file-in-use", { members: { references } })
      : new Problem("file-not-found");
  }
  await ctx.runNow(release.jobId);
}
