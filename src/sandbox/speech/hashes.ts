/** The hashes by which packets and blocks of PCM are known again. They are no secret and guard nothing. */

/** 20 ms of 16 kHz mono in 16 bits. */
export const blockBytes = 640;
export const pcmBytesPerSecond = 32_000;

/** Headers may be written anew when a packet moves: FLAC numbers its frames, ADTS may be left out. */
const headBytes = 16;
const tailBytes = 2;

/** FNV-1a over what is between head and tail; 0 for what is too short to be known. */
export function packetHash(data: Uint8Array): number {
  const end = data.length - tailBytes;
  if (end - headBytes < headBytes) return 0;
  let hash = 0x811c9dc5;
  for (let at = headBytes; at < end; at += 1) hash = Math.imul(hash ^ (data[at] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

const factor = 0x08088405;
/** factor to the power of blockBytes, modulo 2^32: what the byte that leaves a block counts. */
const leaving = powerOf(factor, blockBytes);

function powerOf(base: number, exponent: number): number {
  let power = 1;
  for (let step = 0; step < exponent; step += 1) power = Math.imul(power, base);
  return power;
}

/** A polynomial, so that the hash of the next place follows from that of the last. */
export function blockHash(bytes: Uint8Array, at: number): number {
  let hash = 0;
  for (let place = at; place < at + blockBytes; place += 1) hash = (Math.imul(hash, factor) + (bytes[place] ?? 0)) | 0;
  return hash >>> 0;
}

/** The hash of the block one byte further. */
export function rolledHash(hash: number, leaves: number, enters: number): number {
  return (Math.imul(hash, factor) + enters - Math.imul(leaves, leaving)) >>> 0;
}
