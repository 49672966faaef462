/** Comma-separated values (RFC 4180) that a spreadsheet shows and does not run: what looks like a formula is made text. Pure. */

export type Cell = string | number | null;

/** Lines end with CRLF. Numbers are written as they are; texts that begin like a formula get an apostrophe in front (OWASP, CSV injection). */
export function toCsv(rows: readonly (readonly Cell[])[]): string {
  return rows.map((row) => `${row.map(cellText).join(",")}\r\n`).join("");
}

function cellText(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const text = /^[=+\-@\t\r\n]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
