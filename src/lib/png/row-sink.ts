/** Puts the inflated bytes of an image, which come in pieces of any size, together to RGB pixels. It inflates nothing. */
import type { PngSize } from "#lib/png/chunks";
import { PngError } from "#lib/png/error";
import { takeMemory } from "#lib/png/memory";
import { dropAlpha, unfilterRow } from "#lib/png/rows";

/** Both throw PngError `damaged`: `push` for a byte too many or an unknown filter, `finish` when pixels are missing. */
export interface RowSink {
  push(piece: Uint8Array): void;
  finish(): Uint8Array<ArrayBuffer>;
}

/**
 * A sink for an image of this size, which writes into `reuse` when that is large enough. RGB rows are unfiltered where they
 * belong; only RGBA needs rows of its own.
 */
export function createRowSink(size: PngSize, reuse?: Uint8Array<ArrayBuffer>): RowSink {
  const { width, height, channels } = size;
  const rowBytes = width * channels;
  const rgb = takeMemory(width * 3 * height, reuse);
  const rowAt = (offset: number): Uint8Array => rgb.subarray(offset, offset + rowBytes);
  let above: Uint8Array = new Uint8Array(rowBytes);
  let row: Uint8Array = channels === 3 ? rowAt(0) : new Uint8Array(rowBytes);
  let filter = 0;
  let column = -1;
  let done = 0;

  const finishRow = (): void => {
    if (filter !== 0) unfilterRow({ filter, row, above, pixelBytes: channels });
    const finished = row;
    if (channels === 3) {
      done += rowBytes;
      row = rowAt(done);
    } else {
      done += dropAlpha(finished, channels, { target: rgb, offset: done });
      row = above;
    }
    above = finished;
    column = -1;
  };

  return {
    push(piece) {
      for (let offset = 0; offset < piece.byteLength;) {
        if (done === rgb.byteLength) throw new PngError("damaged", "more pixels than the header says");
        if (column < 0) {
          filter = piece[offset] ?? 0;
          offset++;
          column = 0;
          continue;
        }
        const part = piece.subarray(offset, offset + rowBytes - column);
        row.set(part, column);
        offset += part.byteLength;
        column += part.byteLength;
        if (column === rowBytes) finishRow();
      }
    },
    finish() {
      if (done !== rgb.byteLength) throw new PngError("damaged", "pixels missing");
      return rgb;
    },
  };
}
