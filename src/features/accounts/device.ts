/**
 * How a device is told from another: by a random id that it keeps in a cookie or sends as X-Device-Id. Ids are made here; one that somebody
 * else chose is never taken over, because a known device may sign in while strangers have locked the password.
 */
import type { Ctx } from "#core/context";
import { knowsDevice } from "#durable/session-store/client";

const cookieName = "__Host-overtone-device";
const pattern = /^[A-Za-z0-9_-]{43}$/;
const cookieSeconds = 400 * 86_400;

/** The id that the request presents; null: none, or none of ours. */
export function readDeviceId(request: Request): string | null {
  const cookie = new RegExp(`(?:^|;\\s*)${cookieName}=([^;]*)`).exec(request.headers.get("cookie") ?? "")?.[1];
  const given = request.headers.get("x-device-id") ?? cookie ?? "";
  return pattern.test(given) ? given : null;
}

/** Headers of an answer that signs a device in. */
export function deviceHeaders(deviceId: string): Record<string, string> {
  return {
    "x-device-id": deviceId,
    "set-cookie": `${cookieName}=${deviceId}; Path=/; Max-Age=${cookieSeconds}; Secure; HttpOnly; SameSite=Lax`,
  };
}

export function newDeviceId(ctx: Pick<Ctx, "random">): string {
  return Buffer.from(ctx.random(32)).toString("base64url");
}

/** `store`: the person's id or, so that nobody is told apart, a name that nobody has. */
export async function isKnownDevice(ctx: Ctx, store: string, deviceId: string | null): Promise<boolean> {
  return deviceId !== null && knowsDevice(ctx.objects.SESSION_STORE, { userId: store, deviceId });
}

const programs: [RegExp, string][] = [
  [/\bEdg\//, "Edge"],
  [/\bFirefox\//, "Firefox"],
  [/\bVSCode\b|\bCode\//i, "Visual Studio Code"],
  [/\bChrome\//, "Chrome"],
  [/\bSafari\//, "Safari"],
  [/\bcurl\//, "curl"],
  [/\bnode\b|undici/i, "Node.js"],
  [/\bpython/i, "Python"],
];
const systems: [RegExp, string][] = [
  [/\bAndroid\b/, "Android"],
  [/\biPhone|iPad\b/, "iOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bDarwin\b/i, "macOS"],
  [/\bLinux\b/i, "Linux"],
];

/** A few words that a person recognises the device by. */
export function deviceName(userAgent: string): string {
  const find = (table: [RegExp, string][]) => table.find(([wanted]) => wanted.test(userAgent))?.[1];
  return [find(programs) ?? "Unknown program", find(systems)].filter(Boolean).join(" on ");
}
