/** Reads the rows of an export, page by page, newest first. Internals (hashes, wrapped keys, storage names) are left out. */
import { and, desc, eq, lt } from "drizzle-orm";
import type { WorkspaceCtx } from "#core/context";
import { auditLog, jobs } from "#core/tables";
import { apiKeys } from "#features/api-keys/tables";
import { conversions } from "#features/conversions/tables";
import { files } from "#features/media/tables";
import { listEntriesOf } from "#features/message-logs/store";
import { notifications } from "#features/notifications/tables";
import { passkeys, signInIdentities } from "#features/sign-in-methods/tables";

export type ExportPage = Record<string, unknown> & { id: string };
type Read = (ctx: WorkspaceCtx, before: string | null, limit: number) => Promise<ExportPage[]>;

/** What belongs to the person, in the person's own workspace. */
export const exportLists: Readonly<Record<string, Read>> = {
  identities: (ctx, before, limit) =>
    ctx.db
      .select({
        id: signInIdentities.id,
        provider: signInIdentities.provider,
        email: signInIdentities.email,
        createdAt: signInIdentities.createdAt,
      })
      .from(signInIdentities)
      .where(
        and(eq(signInIdentities.userId, ctx.userId), before === null ? undefined : lt(signInIdentities.id, before)),
      )
      .orderBy(desc(signInIdentities.id))
      .limit(limit),
  passkeys: (ctx, before, limit) =>
    ctx.db
      .select({ id: passkeys.id, createdAt: passkeys.createdAt })
      .from(passkeys)
      .where(and(eq(passkeys.userId, ctx.userId), before === null ? undefined : lt(passkeys.id, before)))
      .orderBy(desc(passkeys.id))
      .limit(limit),
  apiKeys: (ctx, before, limit) =>
    ctx.db
      .select({
        id: apiKeys.id,
        name: apiKeys.name,
        start: apiKeys.start,
        scopes: apiKeys.scopes,
        createdAt: apiKeys.createdAt,
        lastUsedAt: apiKeys.lastUsedAt,
        deletedAt: apiKeys.deletedAt,
      })
      .from(apiKeys)
      .where(and(eq(apiKeys.userId, ctx.userId), before === null ? undefined : lt(apiKeys.id, before)))
      .orderBy(desc(apiKeys.id))
      .limit(limit),
  files: (ctx, before, limit) =>
    ctx.db
      .select({
        id: files.id,
        name: files.name,
        contentType: files.contentType,
        sizeBytes: files.sizeBytes,
        sha256: files.sha256,
        createdAt: files.createdAt,
        deletedAt: files.deletedAt,
      })
      .from(files)
      .where(and(eq(files.workspaceId, ctx.workspaceId), before === null ? undefined : lt(files.id, before)))
      .orderBy(desc(files.id))
      .limit(limit),
  conversions: (ctx, before, limit) =>
    ctx.db
      .select({
        id: conversions.id,
        conversionType: conversions.conversionType,
        inputFileName: conversions.inputFileName,
        inputFileSize: conversions.inputFileSize,
        createdAt: conversions.createdAt,
      })
      .from(conversions)
      .where(
        and(eq(conversions.workspaceId, ctx.workspaceId), before === null ? undefined : lt(conversions.id, before)),
      )
      .orderBy(desc(conversions.id))
      .limit(limit),
  jobs: (ctx, before, limit) =>
    ctx.db
      .select({ id: jobs.id, name: jobs.name, state: jobs.state, createdAt: jobs.createdAt, endedAt: jobs.endedAt })
      .from(jobs)
      .where(and(eq(jobs.workspaceId, ctx.workspaceId), before === null ? undefined : lt(jobs.id, before)))
      .orderBy(desc(jobs.id))
      .limit(limit),
  notifications: (ctx, before, limit) =>
    ctx.db
      .select({
        id: notifications.id,
        kind: notifications.kind,
        title: notifications.title,
        body: notifications.body,
        createdAt: notifications.createdAt,
      })
      .from(notifications)
      .where(and(eq(notifications.userId, ctx.userId), before === null ? undefined : lt(notifications.id, before)))
      .orderBy(desc(notifications.id))
      .limit(limit),
  messageLogs: async (ctx, before, rows) =>
    (await listEntriesOf(ctx.db, ctx.userId, { before, rows })).map(({ at: createdAt, messages, ...row }) => ({
      ...row,
      createdAt,
      messages: messages === "{}" ? null : (JSON.parse(messages) as unknown),
    })),
  acts: (ctx, before, limit) =>
    ctx.db
      .select({
        id: auditLog.id,
        action: auditLog.action,
        target: auditLog.target,
        address: auditLog.address,
        createdAt: auditLog.createdAt,
      })
      .from(auditLog)
      .where(and(eq(auditLog.actorId, ctx.userId), before === null ? undefined : lt(auditLog.id, before)))
      .orderBy(desc(auditLog.id))
      .limit(limit),
};
