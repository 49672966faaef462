/** Tells which network addresses are one caller for a limit. Reads text only; refuses to guess about what is no address. */

const hextets = 8;
/** A provider gives each customer at least this much, so whoever has one address has all of these. */
const networkHextets = 4;

/** An IPv6 address as its /64 network, an IPv4 address (mapped ones, too) as it is, and anything else unchanged. */
export function networkOf(address: string): string {
  const [, mapped] = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  const groups = address.includes(":") ? readGroups(address) : null;
  return groups ? `${groups.slice(0, networkHextets).join(":")}::/64` : address;
}

/** The eight groups without leading zeros (RFC 4291 section 2.2); null for what is no IPv6 address. */
function readGroups(address: string): string[] | null {
  const [head = "", tail, ...others] = address.toLowerCase().split("::");
  const before = groupsOf(head);
  const after = groupsOf(tail ?? "");
  const missing = hextets - before.length - after.length;
  if (others.length > 0 || (tail === undefined ? missing !== 0 : missing < 1)) return null;
  const groups = [...before, ...Array.from({ length: missing }, () => "0"), ...after];
  return groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))
    ? groups.map((group) => group.replace(/^0+(?=.)/, ""))
    : null;
}

/** A dotted ending stands for two groups. */
function groupsOf(text: string): string[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(group) ? ["0", "0"] : [group]));
}

/** An address as its 4 or 16 bytes; null for what is no address in its usual form. A mapped IPv4 address stays an IPv6 address. */
export function readAddress(text: string): Uint8Array<ArrayBuffer> | null {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  if (bare.length > 45) return null;
  return bare.includes(":") ? readV6(bare) : readV4(bare);
}

function readV4(text: string): Uint8Array<ArrayBuffer> | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return null;
  return Uint8Array.from(parts, Number);
}

function readV6(text: string): Uint8Array<ArrayBuffer> | null {
  const dotted = /^(.*:)(\d{1,3}(?:\.\d{1,3}){3})$/.exec(text);
  const tail = dotted ? readV4(dotted[2] ?? "") : null;
  if (dotted && !tail) return null;
  const hex = (high = 0, low = 0) => ((high << 8) | low).toString(16);
  const plain = dotted && tail ? `${dotted[1]}${hex(tail[0], tail[1])}:${hex(tail[2], tail[3])}` : text;
  const groups = readGroups(plain);
  if (!groups) return null;
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
  );
}

/** A range in CIDR form, or one address as a range of itself. */
export interface AddressRange {
  bytes: Uint8Array;
  prefixBits: number;
}

/** Null for what is no range: no address, a length beyond it, or bits set beyond its length (a mistake of writing more often than not). */
export function readRange(text: string): AddressRange | null {
  const [address = "", length, ...others] = text.split("/");
  const bytes = others.length === 0 && !address.startsWith("[") ? readAddress(address) : null;
  if (!bytes) return null;
  if (length === undefined) return { bytes, prefixBits: bytes.length * 8 };
  const prefixBits = /^(?:0|[1-9]\d{0,2})$/.test(length) ? Number(length) : Number.NaN;
  if (!(prefixBits <= bytes.length * 8)) return null;
  const isNetwork = bytes.every((byte, index) => (byte & ~maskAt(prefixBits, index) & 255) === 0);
  return isNetwork ? { bytes, prefixBits } : null;
}

/** The mask of one byte of an address. */
function maskAt(prefixBits: number, index: number): number {
  const bits = Math.min(Math.max(prefixBits - index * 8, 0), 8);
  return (0xff << (8 - bits)) & 0xff;
}

/** An IPv4 address that arrives mapped into IPv6 is the same caller. */
function unmapped(bytes: Uint8Array): Uint8Array {
  const isMapped =
    bytes.length === 16 && bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0);
  return isMapped ? bytes.subarray(12) : bytes;
}

/** Is the address in one of the ranges? Never for what is no address. */
export function isInRanges(address: string, ranges: readonly AddressRange[]): boolean {
  const read = readAddress(address);
  if (!read) return false;
  const bytes = unmapped(read);
  return ranges.some((range) => contains(range, bytes));
}

function contains(range: AddressRange, bytes: Uint8Array): boolean {
  return (
    range.bytes.length === bytes.length &&
    bytes.every((byte, index) => ((byte ^ (range.bytes[index] ?? 0)) & maskAt(range.prefixBits, index)) === 0)
  );
}

/** Is all of the inner range in the outer one? */
export function isWithin(inner: AddressRange, outer: AddressRange): boolean {
  return inner.prefixBits >= outer.prefixBits && contains(outer, inner.bytes);
}

/** Not globally reachable, or a door to what is not (IANA's special-purpose registries of IPv4 and IPv6). */
const unreachableRanges = rangesOf(
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
);

/** Of IPv6 only what is handed out to be reached: the rest holds loopback, mapped, translated, local and multicast addresses. */
const globalUnicast = rangesOf("2000::/3");
const unreachableGlobal = rangesOf("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20");

/** Read when they are first asked for, not at each start of the Worker. Throws for one that is no range. */
function rangesOf(...texts: string[]): () => readonly AddressRange[] {
  let ranges: AddressRange[] | null = null;
  return () => {
    ranges ??= texts.map((text) => {
      const range = readRange(text);
      if (!range) throw new Error(`${text} is no range`);
      return range;
    });
    return ranges;
  };
}

/** May the address be on the public internet? False for what is no address. */
export function isPublicAddress(text: string): boolean {
  const bytes = readAddress(text);
  if (!bytes) return false;
  const inAny = (ranges: () => readonly AddressRange[]) => ranges().some((range) => contains(range, bytes));
  return bytes.length === 4 ? !inAny(unreachableRanges) : inAny(globalUnicast) && !inAny(unreachableGlobal);
}
