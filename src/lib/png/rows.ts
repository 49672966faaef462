/** Rows of pixels: undoes PNG's five filters (third edition, section 9.2) and drops alpha. It knows nothing of chunks. */
import { PngError } from "#lib/png/error";

/** `row` without its filter byte, the row above it (unfiltered; zeros for the first), and the bytes of one pixel. */
export interface FilteredRow {
  readonly filter: number;
  readonly row: Uint8Array;
  readonly above: Uint8Array;
  readonly pixelBytes: number;
}

/** Replaces `row` by its unfiltered bytes. Throws PngError `damaged` for a filter that does not exist. */
export function unfilterRow(input: FilteredRow): void {
  switch (input.filter) {
    case 0:
      return;
    case 1:
      return addLeft(input);
    case 2:
      return addAbove(input);
    case 3:
      return addAverage(input);
    case 4:
      return addPaeth(input);
    default:
      throw new PngError("damaged", "filter type");
  }
}

function addLeft({ row, pixelBytes }: FilteredRow): void {
  for (let i = pixelBytes; i < row.length; i++) row[i] = (row[i] as number) + (row[i - pixelBytes] as number);
}

function addAbove({ row, above }: FilteredRow): void {
  for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) + (above[i] as number);
}

function addAverage({ row, above, pixelBytes }: FilteredRow): void {
  for (let i = 0; i < row.length; i++) {
    const left = i < pixelBytes ? 0 : (row[i - pixelBytes] as number);
    row[i] = (row[i] as number) + ((left + (above[i] as number)) >>> 1);
  }
}

function addPaeth({ row, above, pixelBytes }: FilteredRow): void {
  for (let i = 0; i < row.length; i++) {
    const left = i < pixelBytes ? 0 : (row[i - pixelBytes] as number);
    const corner = i < pixelBytes ? 0 : (above[i - pixelBytes] as number);
    row[i] = (row[i] as number) + paeth(left, above[i] as number, corner);
  }
}

function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - corner - corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** Copies the RGB bytes of `row` to `to.offset` of `to.target`, which may be the same memory, and says how many they are. */
export function dropAlpha(row: Uint8Array, channels: 3 | 4, to: { target: Uint8Array; offset: number }): number {
  const { target, offset } = to;
  if (channels === 3) {
    target.set(row, offset);
    return row.byteLength;
  }
  let position = offset;
  for (let source = 0; source < row.byteLength; source += 4) {
    target[position] = row[source] as number;
    target[position + 1] = row[source + 1] as number;
    target[position + 2] = row[source + 2] as number;
    position += 3;
  }
  return position - offset;
}
