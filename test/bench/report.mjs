/** Prints the figures of a group, one JSON line each, and sets the exit code when a target is missed. */
export function report(lines) {
  for (const line of lines) console.log(JSON.stringify(line));
  if (lines.some((line) => !line.ok)) process.exitCode = 1;
}
