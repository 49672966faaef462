/** Why an image could not be read: one closed list of reasons. It never carries pixel data. */

/**
 * `not-png`: no PNG signature. `too-large`: more RGB bytes than the caller allows, found before anything is inflated.
 * `interlaced`, `palette`, `grey`, `sixteen-bit`, `unknown-kind`: valid PNG that this reader does not take.
 * `damaged`: truncated, wrong checksum, wrong order, data missing or left over.
 */
export type PngReason =
  | "not-png"
  | "too-large"
  | "interlaced"
  | "palette"
  | "grey"
  | "sixteen-bit"
  | "unknown-kind"
  | "damaged";

/** Thrown by everything in this folder; `message` names the place for logs, `reason` is for code. */
export class PngError extends Error {
  readonly reason: PngReason;

  constructor(reason: PngReason, message: string) {
    super(message);
    this.name = "PngError";
    this.reason = reason;
  }
}
