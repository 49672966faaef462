/** What the commands print: calm lines that read the same without colours, and sizes and times in one notation. */

const isColourful = process.stdout.isTTY === true && !process.env["NO_COLOR"];

function styled(code: number, text: string): string {
  return isColourful ? `\u001b[${code}m${text}\u001b[0m` : text;
}

export const bold = (text: string) => styled(1, text);
export const faint = (text: string) => styled(2, text);

export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

export function printError(line: string): void {
  process.stderr.write(`${line}\n`);
}

const labelWidth = 12;
const textWidth = 66;

/** One step: what, with which result, and its figures. */
export function printStep(label: string, text: string, figures = ""): void {
  print(
    `  ${label.padEnd(labelWidth)} ${figures ? text.padEnd(textWidth) : text}${figures ? ` ${faint(figures)}` : ""}`,
  );
}

export function bytes(count: number): string {
  if (count < 1_024) return `${count} B`;
  return count < 1_048_576 ? `${(count / 1_024).toFixed(1)} KiB` : `${(count / 1_048_576).toFixed(1)} MiB`;
}

export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}

/** Bytes a time, as "24.1 MiB in 310 ms, 77.7 MiB/s". */
export function throughput(sizeBytes: number, ms: number): string {
  return `${bytes(sizeBytes)} in ${duration(ms)}, ${(sizeBytes / 1_048_576 / Math.max(ms / 1_000, 0.001)).toFixed(1)} MiB/s`;
}
