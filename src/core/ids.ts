/** Every kind of id and its prefix. Ids sort by time of creation, so a list pages by id alone; they are names, never secrets. */

export const idPrefixes = {
  apiKey: "key",
  audit: "aud",
  batch: "batch",
  conversion: "conv",
  delivery: "dlv",
  encryptionKey: "ekey",
  event: "evt",
  file: "file",
  identity: "idn",
  invitation: "inv",
  job: "job",
  log: "log",
  mail: "mail",
  message: "msg",
  notification: "ntf",
  passkey: "pkey",
  price: "prc",
  prompt: "prm",
  providerKey: "byok",
  report: "rep",
  request: "req",
  reservation: "rsv",
  response: "resp",
  session: "ses",
  upload: "upl",
  uploadTicket: "tkt",
  user: "usr",
  webhook: "whk",
  workspace: "wks",
} as const;

export type IdKind = keyof typeof idPrefixes;

const crockford = "0123456789abcdefghjkmnpqrstvwxyz";

/** `prefix_` and 26 Crockford base32 characters: 48 bits of milliseconds, then 80 random bits (the ULID layout). */
export function makeId(kind: IdKind, nowMs: number, random: Uint8Array): string {
  let time = "";
  for (let rest = nowMs, digit = 0; digit < 10; digit += 1) {
    time = `${crockford[rest % 32]}${time}`;
    rest = Math.floor(rest / 32);
  }
  let noise = "";
  for (let index = 0; index < 16; index += 1) noise += crockford[(random[index] ?? 0) & 31];
  return `${idPrefixes[kind]}_${time}${noise}`;
}

/** A person's own workspace carries the person's suffix, so that selecting it needs no look-up. */
export function personalWorkspaceId(userId: string): string {
  return `${idPrefixes.workspace}_${userId.slice(idPrefixes.user.length + 1)}`;
}

/** The 128 bits of an id, big-endian. */
export function idBytes(id: string): Uint8Array {
  let bits = 0n;
  for (const char of id.slice(id.indexOf("_") + 1)) bits = (bits << 5n) | BigInt(crockford.indexOf(char));
  const bytes = new Uint8Array(16);
  for (let index = 15; index >= 0; index -= 1, bits >>= 8n) bytes[index] = Number(bits & 255n);
  return bytes;
}

/** The id of 128 bits: `idBytes` in the other direction. */
export function bytesId(kind: IdKind, bytes: Uint8Array): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let text = "";
  for (let digit = 0; digit < 26; digit += 1, bits >>= 5n) text = `${crockford[Number(bits & 31n)]}${text}`;
  return `${idPrefixes[kind]}_${text}`;
}
