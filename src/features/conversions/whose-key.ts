/**
 * Which key a request means. Older clients send `userId` and `masterKeyHex` with every call: as the name and key that version 1 derives
 * from they are honoured, as a claim to be somebody else they are refused. Nothing of a key is ever part of an answer or a message.
 */
import type { WorkspaceCtx } from "#core/context";
import { Problem } from "#core/problem";
import { listV1Masters, openV1Master } from "#features/secrets/service";
import { SealError } from "#lib/seal/error";
import { readMasterKey, readUserId } from "#lib/seal/v1";
import { wrapRequestKey } from "./request-key.ts";
import { defaultUserName } from "./rules.ts";

interface Given {
  masterKeyHex?: string | undefined;
  userId?: string | undefined;
}

/** What the row keeps of a version 1 key. */
export interface V1Choice {
  encryptionKeyId: string | null;
  externalUserId: string;
  requestKey: string | null;
}

/** Throws `server-owned-member`: who asks is told by the credential. */
export function refuseForeignUser(ctx: WorkspaceCtx, userId: string | undefined): void {
  if (userId === undefined || userId === ctx.userId || userId === defaultUserName || userId === "me") return;
  throw new Problem("server-owned-member", {
    detail: "userId is the person who asks.",
    members: { forbidden: ["userId"] },
  });
}

/** The key to seal version 1 with: the request's own, the named import, or the newest import for the name. */
export async function chooseV1Key(
  ctx: WorkspaceCtx,
  conversionId: string,
  given: Given & { encryptionKeyId?: string | undefined },
): Promise<V1Choice> {
  if (given.masterKeyHex !== undefined) {
    if (given.encryptionKeyId !== undefined)
      throw new Problem("validation-failed", { detail: "Send one of masterKeyHex and encryptionKeyId." });
    return requestChoice(ctx, conversionId, { masterKeyHex: given.masterKeyHex, userId: given.userId });
  }
  if (given.encryptionKeyId !== undefined) {
    const { id, externalUserId } = await openV1Master(ctx, given.encryptionKeyId);
    if (given.userId !== undefined && given.userId !== externalUserId) {
      throw new Problem("encryption-key-not-found", { detail: "The key was imported for another userId." });
    }
    return { encryptionKeyId: id, externalUserId, requestKey: null };
  }
  const [newest] = await listV1Masters(ctx, given.userId ?? null);
  if (!newest)
    throw new Problem("encryption-key-not-found", {
      detail: "Format 1 needs an imported master key, or masterKeyHex and userId.",
    });
  return { encryptionKeyId: newest.id, externalUserId: newest.externalUserId, requestKey: null };
}

/** For opening: the request's key if it has one. The version is not known yet, so a name of an import is no claim to be somebody. */
export async function openingKeyOf(
  ctx: WorkspaceCtx,
  conversionId: string,
  given: Given,
): Promise<Pick<V1Choice, "requestKey"> & { externalUserId: string | null }> {
  const { masterKeyHex, userId } = given;
  if (masterKeyHex !== undefined) {
    const { requestKey } = await requestChoice(ctx, conversionId, { masterKeyHex, userId });
    return { requestKey, externalUserId: userId ?? null };
  }
  if (userId === undefined) return { requestKey: null, externalUserId: null };
  const isImport = (await listV1Masters(ctx, userId)).length > 0;
  if (!isImport) refuseForeignUser(ctx, userId);
  return { requestKey: null, externalUserId: isImport ? userId : null };
}

async function requestChoice(
  ctx: WorkspaceCtx,
  conversionId: string,
  given: { masterKeyHex: string; userId: string | undefined },
): Promise<V1Choice> {
  const raw = asProblem("encryption-key-invalid", () => readMasterKey(given.masterKeyHex));
  const externalUserId = asProblem("validation-failed", () => readUserId(given.userId ?? defaultUserName));
  const requestKey = await wrapRequestKey(ctx, { workspaceId: ctx.workspaceId, conversionId }, raw);
  return { encryptionKeyId: null, externalUserId, requestKey };
}

function asProblem<Value>(code: "encryption-key-invalid" | "validation-failed", read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof SealError)
      throw new Problem(code, error.detail === undefined ? {} : { detail: `${error.detail}.` });
    throw error;
  }
}
