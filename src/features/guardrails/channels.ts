/**
 * The texts of a stream, each for itself. Of each as much is held back as more text could make a match of, and nothing else: a match that is cut into
 * pieces is found whole, and what cannot be part of one passes at once.
 */
import type { JsonObject } from "#adapters/llm/dialect";
import type { StreamEvent } from "#lib/event-stream";
import { OutOfFuel } from "#lib/linear-pattern";
import { checkSizes, type Judge } from "./judge.ts";
import { plainAt, type Range, rangesIn, type TextRule } from "./rules.ts";

/** One text of the stream: what one choice says, or the arguments of one of its calls. */
interface Channel {
  /** Told already, and needed to see where a word begins. */
  context: string;
  held: string;
  /** All of it, where an answer is judged as a whole. */
  said: string;
  /** An event that carries nothing but the given text of it. */
  eventWith(text: string): JsonObject;
}

export interface Piece {
  channel: string;
  text: string;
  /** Nothing of this text follows. */
  isEnd: boolean;
  eventWith: Channel["eventWith"];
}

const contextLength = 2;
const maxHeldLength = 65_536;
const maxSaidLength = 1_048_576;
/** What the next characters may still change: half an escape, half a character, a letter whose marks are to come. */
const unsettled = /(?:\\(?:u[\da-fA-F]{0,3})?|\p{L}\p{M}*|[\ud800-\udbff])$/u;

export type Channels = ReturnType<typeof openChannels>;

export function openChannels(judge: Judge) {
  const channels = new Map<string, Channel>();
  const { texts, schemas } = judge.stage;
  const read = { chunks: 0, textLength: 0 };
  let bytes = 0;

  function tell(channel: Channel, piece: string, isEnd: boolean): string {
    if (schemas.length > 0) channel.said += piece;
    if (channel.said.length > maxSaidLength) throw new OutOfFuel();
    if (texts.length === 0) return piece;
    const text = channel.context + channel.held + piece;
    const { shown, to } = release(judge, text, { from: channel.context.length, isEnd });
    channel.context = text.slice(Math.max(to - contextLength, 0), to);
    channel.held = text.slice(to);
    if (channel.held.length > maxHeldLength) throw new OutOfFuel();
    return shown;
  }

  return {
    /** What was read, told or not. */
    read,
    /** What of the text may be told now. */
    told({ channel: name, text, isEnd, eventWith }: Piece): string {
      bytes += Buffer.byteLength(text);
      read.textLength += text.length;
      read.chunks += 1;
      checkSizes(judge, () => bytes);
      const channel = channels.get(name) ?? { context: "", held: "", said: "", eventWith };
      channels.set(name, channel);
      return tell(channel, text, isEnd);
    },
    /** What is held back of the texts whose names begin so, because they have ended. */
    flush(prefix: string): StreamEvent[] {
      return [...channels].flatMap(([name, channel]) => {
        if (!name.startsWith(prefix) || channel.held === "") return [];
        return { name: null, data: channel.eventWith(tell(channel, "", true)) };
      });
    },
    saidIn: (prefix: string) =>
      [...channels].filter(([name]) => name.startsWith(prefix)).map(([name, { said }]) => ({ name, said })),
  };
}

interface Looked {
  from: number;
  isEnd: boolean;
}

/** How far a text may be told, and how that reads with all matches replaced. */
function release(judge: Judge, text: string, { from, isEnd }: Looked): { shown: string; to: number } {
  const settled = isEnd ? text : text.replace(unsettled, "");
  const found: (Range & { rule: TextRule })[] = [];
  let to = settled.length;
  for (const rule of judge.stage.texts) {
    const ranges = rangesIn(settled, rule, { ...judge, isWhole: isEnd, from });
    if (ranges.length > 0) judge.apply(rule);
    if (rule.action === "redact") found.push(...ranges.map((range) => ({ ...range, rule })));
    if (!isEnd) to = Math.min(to, openFrom(judge, settled, { rule, from: ranges.at(-1)?.end ?? from }));
  }
  found.sort((one, other) => one.start - other.start);
  // No match is told in halves.
  for (const { start, end } of found.toReversed()) if (start < to && end > to) to = start;
  to = Math.max(to, from);
  return { shown: replacedIn(text.slice(0, to), found, from), to };
}

function replacedIn(text: string, found: readonly (Range & { rule: TextRule })[], from: number): string {
  let shown = "";
  let at = from;
  for (const { start, end, rule } of found) {
    if (end > text.length || end <= at) continue;
    shown += text.slice(at, Math.max(start, at)) + rule.replacement;
    at = end;
  }
  return shown + text.slice(at);
}

function openFrom({ readings, fuel }: Judge, text: string, about: { rule: TextRule; from: number }): number {
  const { rule, from } = about;
  const open = readings(text, rule).map((plain) =>
    plain.startOf(rule.matcher.openFrom(plain.text, plainAt(plain, from), fuel)),
  );
  return Math.min(...open);
}
