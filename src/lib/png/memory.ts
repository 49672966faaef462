/**
 * Reuses large buffers and gives them back at once. An isolate has 128 MB and a shard needs several buffers of 8 MiB:
 * waiting for the garbage collector lets dead ones pile up and makes the allocator ask the kernel for fresh pages each
 * time, which costs more than encrypting them.
 */

const RELEASED_BYTES_MIN = 65_536;

/** Detaches the memory of `view`, which has length 0 from then on, as has every other view of it. */
export function releaseMemory(view: Uint8Array<ArrayBuffer>): void {
  const { buffer } = view;
  // A small buffer may be a slice of a pool that others use (Buffer.allocUnsafe), and is not worth it.
  if (buffer.byteLength >= RELEASED_BYTES_MIN && !buffer.detached) buffer.transfer(0);
}

/** A view of `sizeBytes` bytes from the start of `reuse` when that is large enough (with its old content), else new memory. */
export function takeMemory(sizeBytes: number, reuse: Uint8Array<ArrayBuffer> | undefined): Uint8Array<ArrayBuffer> {
  if (reuse === undefined || reuse.buffer.byteLength < sizeBytes) return new Uint8Array(sizeBytes);
  return new Uint8Array(reuse.buffer, 0, sizeBytes);
}
