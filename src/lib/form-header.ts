/** The text around the parts of a form: the boundary parameter and the header lines of a part. Refuses what RFC 7578 does not allow. */

/** RFC 2046 section 5.1.1. */
const boundaryPattern = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/;
/** `; name=token` or `; name="quoted"`, with the escapes that curl and old browsers write. */
const parameterPattern =
  /;[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[^])*)"|([^;" \t]*))[ \t]*/y;

export interface PartHeader {
  name: string;
  /** Null for a plain field. */
  fileName: string | null;
  type: string | null;
}

/** The boundary of a `Content-Type` header; null when it names none that is valid. */
export function readBoundary(contentType: string | null): { text: string } | "not-multipart" | null {
  const match = /^[ \t]*multipart\/form-data[ \t]*(;[^]*)?$/i.exec(contentType ?? "");
  if (match === null) return "not-multipart";
  const text = readParameters(match[1] ?? "")?.get("boundary");
  return text !== undefined && boundaryPattern.test(text) ? { text } : null;
}

/**
 * @param block everything from the delimiter to the empty line, beginning with the delimiter's own line end
 * @returns null when a line is malformed, the part has no name, or its content is encoded
 */
export function readPartHeader(block: string): PartHeader | null {
  const [padding = "", ...lines] = block.split("\r\n");
  if (padding.trim() !== "" || lines.length > 32) return null;
  const headers = readLines(lines);
  // RFC 7578 section 4.7 deprecates transfer encodings; storing the encoded text as the file would be silent damage.
  if (
    headers === null ||
    !plainEncodings.includes((headers.get("content-transfer-encoding") ?? "binary").toLowerCase())
  )
    return null;
  const names = readDisposition(headers.get("content-disposition") ?? "");
  return names === null ? null : { ...names, type: headers.get("content-type") ?? null };
}

const plainEncodings = ["7bit", "8bit", "binary"];

function readDisposition(value: string): Pick<PartHeader, "name" | "fileName"> | null {
  const [, rest] = /^form-data[ \t]*(;[^]*)$/i.exec(value) ?? [];
  const parameters = readParameters(rest ?? "");
  const name = parameters?.get("name");
  if (!parameters || name === undefined) return null;
  const fileName = readExtendedValue(parameters.get("filename*")) ?? parameters.get("filename");
  return { name: unescapeForm(name), fileName: fileName === undefined ? null : unescapeForm(fileName) };
}

function readLines(lines: readonly string[]): Map<string, string> | null {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(line) ?? [];
    // A header given twice is how two readers are made to see two different files.
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) return null;
    headers.set(name.toLowerCase(), value.trimEnd());
  }
  return headers;
}

/** Null for a malformed or doubled parameter; a semicolon at the end is common and harmless. */
function readParameters(rest: string): Map<string, string> | null {
  const text = rest.replace(/[; \t]+$/, "");
  const parameters = new Map<string, string>();
  const pattern = new RegExp(parameterPattern);
  while (pattern.lastIndex < text.length) {
    const [, name = "", quoted, token] = pattern.exec(text) ?? [];
    if (name === "" || parameters.has(name.toLowerCase())) return null;
    // Old browsers send Windows paths without escaping, so only the two escapes that must exist are undone.
    parameters.set(name.toLowerCase(), quoted?.replace(/\\(["\\])/g, "$1") ?? token ?? "");
  }
  return parameters;
}

/** `UTF-8''percent-encoded` (RFC 8187), which some script libraries send although RFC 7578 advises against it. */
function readExtendedValue(text: string | undefined): string | null {
  const [, encoded] = /^utf-8'[^']*'(.*)$/i.exec(text ?? "") ?? [];
  if (encoded === undefined) return null;
  try {
    return decodeURIComponent(encoded);
  } catch {
    return null;
  }
}

/** Browsers write exactly these three characters as percent triplets (HTML, "multipart/form-data encoding algorithm"). */
function unescapeForm(text: string): string {
  return text.replace(/%(22|0D|0A)/gi, (triplet) => String.fromCharCode(Number.parseInt(triplet.slice(1), 16)));
}
