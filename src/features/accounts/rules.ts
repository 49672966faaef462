/** Decisions about passwords and names, from values only. */
import type { UserRow } from "./tables.ts";
import { createHmac } from "node:crypto";
import type { MasterKey } from "#core/env";
import { unpackWords } from "#lib/packed-words";
import commonPasswords from "#trimmed/common-passwords";

let common: Set<string> | null = null;

/** Is the password on the list of common ones, as it is or with a few digits or marks at its end? */
export function isCommonPassword(password: string): boolean {
  common ??= new Set(unpackWords(commonPasswords));
  const lower = password.toLowerCase();
  return common.has(lower) || common.has(lower.replace(/[\d!@#$%^&*.?]{1,4}$/, ""));
}

/** Names an address for the lock-out, without telling who it is: the same for known and unknown ones. */
export function addressHash(master: MasterKey, address: string): string {
  return createHmac("sha256", master.raw).update("sign-in lock-out").update(address.toLowerCase()).digest("hex");
}

/** A name to show: what was given, else the part of the address before the @. */
export function displayName(given: {
  name?: string | undefined;
  first_name?: string | undefined;
  last_name?: string | undefined;
  email: string;
}): string {
  const full = `${given.first_name ?? ""} ${given.last_name ?? ""}`.trim();
  return given.name ?? (full || (given.email.split("@")[0] ?? given.email).slice(0, 100));
}

/** A new person's row, with the defaults of everything that was not asked. `at` in milliseconds. */
export function newUserRow(given: {
  id: string;
  email: string;
  username: string | null;
  name: string;
  passwordPhc: string;
  at: number;
}): UserRow {
  const { at, ...asked } = given;
  return {
    ...asked,
    usernameKey: given.username?.toLowerCase() ?? null,
    role: "user",
    supportLevel: null,
    status: "active",
    userType: "Personal",
    aboutMe: "",
    hobbies: "",
    promptStyles: ["bpe", "tot"],
    promptLevel: "low",
    preferences: {},
    staffNotes: "",
    parentWorkspaceId: null,
    defaultKeyId: null,
    emailVerifiedAt: null,
    lastLoginAt: null,
    createdAt: at,
    updatedAt: at,
  };
}

/** Address and code in one, for the link of a reset mail: whoever follows it has to type neither. */
export function resetToken(address: string, code: string): string {
  return Buffer.from(JSON.stringify([address, code])).toString("base64url");
}

export function readResetToken(token: string): { address: string; code: string } | null {
  try {
    const [address, code] = JSON.parse(Buffer.from(token, "base64url").toString()) as unknown[];
    return typeof address === "string" && typeof code === "string" ? { address, code } : null;
  } catch {
    return null;
  }
}
