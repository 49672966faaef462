/** Structured log lines, one JSON object each. Members whose name says that they hold a secret never leave in clear. */

export type Level = "debug" | "info" | "warn" | "error";
export type LogFields = Record<string, unknown>;

export interface Log {
  (level: Level, event: string, fields?: LogFields): void;
}

const secretName =
  /password|secret|token|authorization|cookie|api.?key|keyhex|masterkey|signature|private|phc|dataKey/i;
/** Does a member's name say that it holds a secret? */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** What a failed query was called with, which the ORM adds to its message: names and addresses of people. */
const queryValues = /\nparams: [\s\S]*?(?=\n {4}at |$)/g;
const secretValue = /\b(?:ovt_(?:live|test)_|ovs_|ovr_|eyJ)[\w.-]{8,}|X-Amz-Signature=[0-9a-f]+/g;

/** Returns a copy that is safe to write: secrets are replaced, nesting and length are bounded. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return value.slice(0, 2_000).replace(secretValue, "[redacted]");
  if (typeof value !== "object" || value === null) return value;
  if (depth >= 5) return "[deep]";
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "[bytes]";
  if (Array.isArray(value)) return value.slice(0, 50).map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, 50)
      .map(([name, item]) => [
        name,
        isSecretName(name) && typeof item !== "boolean" ? "[redacted]" : redact(item, depth + 1),
      ]),
  );
}

/** With its causes: the outermost error often says only that something failed. */
function redactError({ name, message, stack, cause }: Error, depth: number): Record<string, unknown> {
  const text = (words: string) => redact(words.replace(queryValues, ""));
  return {
    name,
    message: text(message),
    stack: text(stack ?? ""),
    ...(cause === undefined ? {} : { cause: redact(cause, depth + 1) }),
  };
}

/** A logger that adds the same fields (request id, workspace, job) to each line. */
export function makeLog(common: LogFields, write: (line: string, level: Level) => void): Log {
  return (level, event, fields = {}) => {
    write(JSON.stringify({ level, event, ...common, ...(redact(fields) as LogFields) }), level);
  };
}

/** A logger that writes where the platform collects logs: the console. The one place that touches it. */
export function platformLog(common: LogFields): Log {
  return makeLog(common, (line, level) => {
    // oxlint-disable-next-line no-console -- see above
    (level === "error" ? console.error : console.log)(line);
  });
}
