/** What endpoints of the workspace are told of files. */
import type { Ctx } from "#core/context";
import type { Enqueued } from "#core/job";
import { webhookEvent } from "#features/webhooks/service";

type Told = Pick<Ctx, "db" | "now" | "newId">;

export function tellUploaded(
  ctx: Told,
  file: { workspaceId: string; fileId: string; name: string; contentType: string; sizeBytes: number },
): Enqueued[] {
  const { workspaceId, ...data } = file;
  return webhookEvent({ ...ctx, workspaceId }, "file.uploaded", data);
}

export function tellDeleted(ctx: Told, file: { workspaceId: string; id: string; name: string }): Enqueued[] {
  const { workspaceId, id: fileId, name } = file;
  return webhookEvent({ ...ctx, workspaceId }, "file.deleted", { fileId, name });
}
