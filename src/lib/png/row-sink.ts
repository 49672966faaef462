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
  const rgb = takeMemory(size.width * 3 * size.height, reuse);
  const rowBytes = size.width * size.channels;
  const rows = size.channels === 3 ? placeRows(rgb, rowBytes) : dropRows(rgb, rowBytes);
  let filter = 0;
  /** -1: the filter byte comes next. */
  let column = -1;
  return {
    push(piece) {
      for (let offset = 0; offset < piece.byteLength;) {
        if (rows.doneBytes() === rgb.byteLength) throw new PngError("damaged", "more pixels than the header says");
        if (column < 0) {
          filter = piece[offset] ?? 0;
          offset++;
          column = 0;
          continue;
        }
        const part = piece.subarray(offset, offset + rowBytes - column);
        rows.copy(part, column);
        offset += part.byteLength;
        column += part.byteLength;
        if (column < rowBytes) continue;
        rows.finish(filter);
        column = -1;
      }
    },
    finish() {
      if (rows.doneBytes() !== rgb.byteLength) throw new PngError("damaged", "pixels missing");
      return rgb;
    },
  };
}

interface Rows {
  /** Bytes of the present row, from `column` on. */
  copy(part: Uint8Array, column: number): void;
  finish(filter: number): void;
  doneBytes(): number;
}

/** RGB: a row is copied where it belongs, and looked at again only when it has a filter. */
function placeRows(rgb: Uint8Array, rowBytes: number): Rows {
  let done = 0;
  return {
    copy: (part, column) => rgb.set(part, done + column),
    finish(filter) {
      if (filter !== 0) {
        const above = done === 0 ? new Uint8Array(rowBytes) : rgb.subarray(done - rowBytes, done);
        unfilterRow({ filter, row: rgb.subarray(done, done + rowBytes), above, pixelBytes: 3 });
      }
      done += rowBytes;
    },
    doneBytes: () => done,
  };
}

function dropRows(rgb: Uint8Array, rowBytes: number): Rows {
  let row = new Uint8Array(rowBytes);
  let above = new Uint8Array(rowBytes);
  let done = 0;
  return {
    copy: (part, column) => row.set(part, column),
    finish(filter) {
      unfilterRow({ filter, row, above, pixelBytes: 4 });
      done += dropAlpha(row, 4, { target: rgb, offset: done });
      [row, above] = [above, row];
    },
    doneBytes: () => done,
  };
}
