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
