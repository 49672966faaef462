/**
 * What was said, made fit to be kept: redacted, without the bytes of pictures and sounds, and cut. Of a conversation the last messages are kept, because
 * they are what the answer answers.
 */
import { isSecretName } from "#core/log";
import { redactedStart } from "#lib/redact-text";

/** Characters of what was asked, and as many of what was answered. */
export const maxContentLength = 8_000;
const maxDepth = 8;
const maxMembers = 200;
const maxNameLength = 100;
/** Brackets and commas: without it, empty lists without end would be free. */
const memberLength = 4;

interface Room {
  left: number;
  isCut: boolean;
}

/** JSON `{request, response, isCut}`; a response of null is one without words, such as vectors or sound. */
export function contentsOf(request: unknown, response: string | null): string {
  const asked: Room = { left: maxContentLength, isCut: false };
  const answered: Room = { left: maxContentLength, isCut: false };
  const kept = {
    request: Array.isArray(request) ? lastOf(request, asked) : fit(request ?? null, asked, 0),
    response: response === null ? null : fitText(response, answered),
  };
  return JSON.stringify({ ...kept, isCut: asked.isCut || answered.isCut });
}

function lastOf(messages: readonly unknown[], room: Room): unknown[] {
  const kept: unknown[] = [];
  for (const message of messages.toReversed()) {
    if (!takeMember(room, kept.length)) break;
    kept.unshift(fit(message, room, 1));
  }
  return kept;
}

function takeMember(room: Room, taken: number): boolean {
  if (room.left <= 0 || taken >= maxMembers) {
    room.isCut = true;
    return false;
  }
  room.left -= memberLength;
  return true;
}

function fit(value: unknown, room: Room, depth: number): unknown {
  if (typeof value === "string") return fitText(value, room);
  if (typeof value !== "object" || value === null) return value ?? null;
  if (depth >= maxDepth) {
    room.isCut = true;
    return null;
  }
  return Array.isArray(value) ? fitItems(value, room, depth + 1) : fitMembers(value, room, depth + 1);
}

function fitItems(items: readonly unknown[], room: Room, depth: number): unknown[] {
  const kept: unknown[] = [];
  for (const item of items) {
    if (!takeMember(room, kept.length)) break;
    kept.push(fit(item, room, depth));
  }
  return kept;
}

function fitMembers(members: object, room: Room, depth: number): Record<string, unknown> {
  const kept: [string, unknown][] = [];
  for (const [name, member] of Object.entries(members)) {
    if (!takeMember(room, kept.length)) break;
    room.left -= name.length;
    const isSecret = typeof member === "string" && isSecretName(name);
    kept.push([redactedStart(name, maxNameLength).text, isSecret ? "[secret]" : fit(member, room, depth)]);
  }
  return Object.fromEntries(kept);
}

const bytesInText = /^(?:data:[\w.+-]+\/[\w.+-]+;base64,|[A-Za-z0-9+/=_-]{512})/;

function fitText(text: string, room: Room): string {
  if (bytesInText.test(text)) return `[${text.length} characters of bytes]`;
  const { text: kept, isCut } = redactedStart(text, Math.max(room.left, 0));
  room.left -= kept.length;
  room.isCut ||= isCut;
  return kept;
}
