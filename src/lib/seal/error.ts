/** Why sealing or opening was refused: one closed list of reasons, mapped to public answers by the feature. */

/**
 * - `not-an-image`: the file is no image (ZIP, audio, text, ...).
 * - `lossy-image`: JPEG, lossy WebP and the like, or pixels that were sealed once and then resized, cropped or re-coded.
 * - `image-too-large`: more than 64 MiB of RGB bytes. `image-unsupported`: a lossless kind that is not read (`detail`).
 * - `image-damaged`: truncated, a wrong checksum, data missing or left over.
 * - `tiff-unsupported`: TIFF other than uncompressed 8-bit RGB or RGBA.
 * - `not-sealed`: an image without a sealed payload. `header-damaged`: the header contradicts itself or the format.
 * - `altered`: authentication failed. `wrong-key`: foreign key id; in version 1 wrong key, wrong user or altered.
 * - `shards-mixed`, `shards-missing` (with `missing`), `shard-doubled` (with `index`): the set is not one whole file.
 * - `hash-mismatch`: authenticated bytes that are not the original file. `decompression-failed`: their zstd frame is bad.
 * - `input-invalid`: what to seal, or a version 1 key, user or name, breaks the rules (`detail`).
 */
export type SealReason =
  | "not-an-image"
  | "lossy-image"
  | "image-too-large"
  | "image-unsupported"
  | "image-damaged"
  | "tiff-unsupported"
  | "not-sealed"
  | "header-damaged"
  | "altered"
  | "wrong-key"
  | "shards-mixed"
  | "shards-missing"
  | "shard-doubled"
  | "hash-mismatch"
  | "decompression-failed"
  | "input-invalid";

/** `index` and `missing` count shards from 0. `detail` is a short English phrase without user data. */
export interface SealErrorFacts {
  readonly detail?: string;
  readonly index?: number;
  readonly missing?: readonly number[];
}

/** The only error that the sealing library throws on purpose. */
export class SealError extends Error {
  readonly reason: SealReason;
  readonly detail: string | undefined;
  readonly index: number | undefined;
  readonly missing: readonly number[] | undefined;

  constructor(reason: SealReason, facts: SealErrorFacts = {}) {
    super(facts.detail === undefined ? reason : `${reason}: ${facts.detail}`);
    this.name = "SealError";
    this.reason = reason;
    this.detail = facts.detail;
    this.index = facts.index;
    this.missing = facts.missing;
  }
}
