/** The text of MASTER_KEYS: `version:base64 of 32 bytes`, the current one first. Adds versions, never drops one. */

/** An API key's text has one byte for the version. */
const maxVersion = 255;
const maxVersions = 20;
const keyBytes = 32;
const entryPattern = /^[1-9]\d{0,2}:[A-Za-z0-9+/]{43}=$/;

/** The text with a new current version in front, and that version. Throws with what is wrong, and never with any part of a key. */
export function addMasterKey(text: string, raw: Uint8Array): { text: string; version: number } {
  if (raw.length !== keyBytes) throw new RangeError(`A master key has ${keyBytes} bytes.`);
  const entries = text
    .split(",")
    .map((entry) => entry.trim())
    .filter(Boolean);
  if (entries.length === 0) throw new Error("MASTER_KEYS is empty.");
  if (!entries.every((entry) => entryPattern.test(entry)))
    throw new Error("MASTER_KEYS is not a list of version:base64 of 32 bytes.");
  const versions = entries.map((entry) => Number(entry.slice(0, entry.indexOf(":"))));
  if (new Set(versions).size !== versions.length) throw new Error("MASTER_KEYS names a version twice.");
  const version = Math.max(...versions) + 1;
  if (version > maxVersion) throw new Error(`Version ${maxVersion} is the last one.`);
  if (entries.length >= maxVersions)
    throw new Error(
      `MASTER_KEYS holds ${maxVersions} versions already: remove the oldest that nothing uses any more, by hand.`,
    );
  return { text: [`${version}:${Buffer.from(raw).toString("base64")}`, ...entries].join(","), version };
}
