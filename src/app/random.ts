/** Random bytes of the platform. Short ones come out of a store that is filled for many takes at once: each call costs more than its bytes. */

const storeBytes = 2_048;
const shortBytes = 64;

let store = new Uint8Array(0);
let nextByte = 0;

/** Each byte is given out once, and does not stay in memory here. */
export function randomBytes(lengthBytes: number): Uint8Array<ArrayBuffer> {
  if (lengthBytes > shortBytes) return crypto.getRandomValues(new Uint8Array(lengthBytes));
  if (nextByte + lengthBytes > store.length) {
    store = crypto.getRandomValues(new Uint8Array(storeBytes));
    nextByte = 0;
  }
  const taken = store.slice(nextByte, nextByte + lengthBytes);
  store.fill(0, nextByte, nextByte + lengthBytes);
  nextByte += lengthBytes;
  return taken;
}
