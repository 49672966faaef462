/** Decisions about encryption keys that need no storage: what a wrap is bound to, how keys are told apart, who may see and change them. */
import { createHmac } from "node:crypto";
import type { EncryptionKeyRow } from "./tables.ts";

export type KeyType = EncryptionKeyRow["keyType"];

/** Keys, their rotation and the imports of one workspace stay within these. */
export const maxImports = 50;
export const keyBytes = 32;

interface Wrapped {
  workspaceId: string;
  id: string;
  version: number;
}

/**
 * What a wrap is bound to (AAD), so that a wrapped key copied to another row, workspace or purpose opens nothing.
 * Ids hold no `|`, so two different keys never have the same text.
 */
export function encryptionKeyText(key: Wrapped & { keyType: KeyType }): string {
  return `${key.workspaceId}|${key.id}|${key.version}|${key.keyType}-key`;
}

/** `version` is that of the encryption key that wraps it. */
export function dataKeyText(key: Wrapped): string {
  return `${key.workspaceId}|${key.id}|${key.version}|data-key`;
}

/** 16 hexadecimal characters that name a key without telling anything of it. Two workspaces with the same key see different ones. */
export function fingerprintOf(workspaceId: string, raw: Uint8Array): string {
  return createHmac("sha256", raw).update(`overtone key fingerprint|${workspaceId}`).digest("hex").slice(0, 16);
}

/** Who asks: the person behind a session or API key, and whether that person is owner or admin of the workspace. */
export interface Asker {
  userId: string;
  isAdmin: boolean;
}

type Owned = Pick<EncryptionKeyRow, "userId" | "keyType">;

/** One's own keys; the workspace's imports; for owner and admin, all but other people's session keys. */
export function maySee(key: Owned, asker: Asker): boolean {
  return key.keyType === "master" || mayManage(key, asker);
}

export function mayManage(key: Owned, asker: Asker): boolean {
  return key.userId === asker.userId || (asker.isAdmin && key.keyType !== "session");
}

/** A person's names, any of which an older system may have used as its `user_id`. */
export interface PersonNames {
  userId: string;
  email: string;
  username: string | null;
}

export function isOwnName(externalUserId: string, person: PersonNames): boolean {
  const isEmail = externalUserId.toLowerCase() === person.email.toLowerCase();
  return externalUserId === person.userId || externalUserId === person.username || isEmail;
}
