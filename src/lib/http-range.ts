/**
 * Byte ranges of a download (RFC 9110 section 14): one range is honoured, several are answered with the whole file, which the RFC allows.
 * Refuses to build multipart/byteranges: a list of overlapping ranges is a known way to make a server send a file many times over.
 */

export type RangeOutcome =
  /** Answer 200 with everything: no range, or one that the RFC tells a server to ignore. */
  | { kind: "whole" }
  /** Answer 206 with `lengthBytes` bytes from `offset`. */
  | { kind: "part"; offset: number; lengthBytes: number }
  /** Answer 416 with `Content-Range: bytes *\/size`. */
  | { kind: "unsatisfiable" };

export interface RangeRequest {
  /** The `Range` header. */
  range: string | null;
  /** The `If-Range` header. */
  ifRange: string | null;
}

export interface RangeSubject {
  sizeBytes: number;
  /** Quoted, as sent in `ETag`. */
  etag: string | null;
  lastModifiedMs: number | null;
}

/** What to answer to a GET with these headers. */
export function chooseRange(request: RangeRequest, subject: RangeSubject): RangeOutcome {
  if (!ifRangeMatches(request.ifRange, subject)) return { kind: "whole" };
  return parseRange(request.range, subject.sizeBytes);
}

/** A header that is malformed, of another unit or longer than 200 characters is ignored (RFC 9110 section 14.2). */
export function parseRange(header: string | null, sizeBytes: number): RangeOutcome {
  const [first, last] = readSingleSpec(header ?? "") ?? [];
  if (first === undefined || last === undefined) return { kind: "whole" };
  if (first === "") return suffixRange(Number(last), sizeBytes);
  const offset = Number(first);
  const end = last === "" ? Infinity : Number(last);
  if (end < offset) return { kind: "whole" };
  if (offset >= sizeBytes) return { kind: "unsatisfiable" };
  return { kind: "part", offset, lengthBytes: Math.min(end, sizeBytes - 1) - offset + 1 };
}

/** The digits on both sides of the hyphen; null for anything but one well-formed range. Lists may have empty elements (section 5.6.1). */
function readSingleSpec(header: string): [first: string, last: string] | null {
  const [, set = ""] = (header.length <= 200 && /^bytes=(.*)$/i.exec(header)) || [];
  const [spec = "", ...others] = set
    .split(",")
    .map((element) => element.trim())
    .filter((element) => element !== "");
  const [, first, last] = /^(\d*)-(\d*)$/.exec(spec) ?? [];
  if (others.length > 0 || first === undefined || last === undefined || first + last === "") return null;
  return [first, last];
}

function suffixRange(lengthBytes: number, sizeBytes: number): RangeOutcome {
  if (lengthBytes === 0) return { kind: "unsatisfiable" };
  // The last bytes of an empty file are the empty file; Content-Range has no spelling for that.
  if (sizeBytes === 0) return { kind: "whole" };
  const taken = Math.min(lengthBytes, sizeBytes);
  return { kind: "part", offset: sizeBytes - taken, lengthBytes: taken };
}

/** RFC 9110 section 13.1.5: strong comparison of entity tags, exact comparison of dates; no header matches. */
export function ifRangeMatches(
  ifRange: string | null,
  subject: Pick<RangeSubject, "etag" | "lastModifiedMs">,
): boolean {
  if (ifRange === null) return true;
  const validator = ifRange.trim();
  if (validator.startsWith('"')) return validator === subject.etag;
  // A weak tag never matches here, and only the fixed date form is read: guessing a date could splice two versions of a file.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(validator)) return false;
  return (
    subject.lastModifiedMs !== null && Date.parse(validator) === Math.floor(subject.lastModifiedMs / 1_000) * 1_000
  );
}

/** The `Content-Range` header of a 206 or 416 answer; null for 200, which has none. */
export function contentRange(outcome: RangeOutcome, sizeBytes: number): string | null {
  if (outcome.kind === "whole") return null;
  if (outcome.kind === "unsatisfiable") return `bytes */${sizeBytes}`;
  return `bytes ${outcome.offset}-${outcome.offset + outcome.lengthBytes - 1}/${sizeBytes}`;
}
