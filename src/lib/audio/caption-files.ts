/**
 * Writes captions as SubRip (SRT) and WebVTT and reads both. What is read comes from strangers: it is bounded, a wrong file is refused with the number
 * of its line, and neither markup nor times of words are kept. WebVTT: https://www.w3.org/TR/webvtt1/
 */
import type { Caption } from "./captions.ts";

export type CaptionFormat = "srt" | "vtt";

/** `line` counts from 1; 0 is the file as a whole. */
export interface CaptionFault {
  kind: "too-large" | "too-many" | "no-header" | "no-cues" | "bad-time" | "times-reversed" | "bad-cue";
  line: number;
  detail: string;
}

export type CaptionsRead = { ok: true; captions: Caption[] } | { ok: false; fault: CaptionFault };

const mostCharacters = 8_000_000;
const mostCues = 50_000;
const mostLines = 100;
const mostLineCharacters = 2_000;
const mostSpeakerCharacters = 100;

export function writeSrt(captions: readonly Caption[]): string {
  return captions
    .map(({ startSeconds, endSeconds, lines, speaker }, index) => {
      const [first = "", ...others] = lines;
      const text = [speaker === null ? first : `${speaker}: ${first}`, ...others].map(srtLine).join("\n");
      return `${index + 1}\n${clock(startSeconds, ",")} --> ${clock(endSeconds, ",")}\n${text}\n`;
    })
    .join("\n");
}

export function writeVtt(captions: readonly Caption[]): string {
  const cues = captions.map(({ startSeconds, endSeconds, lines, speaker }) => {
    const voice = speaker === null ? "" : `<v ${escaped(speaker.replaceAll(/[\s>]+/gu, " ").trim())}>`;
    return `${clock(startSeconds, ".")} --> ${clock(endSeconds, ".")}\n${voice}${lines.map(escaped).join("\n")}\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}

/** The format of a file by its first line. */
export function captionFormatOf(text: string): CaptionFormat {
  return /^\uFEFF?WEBVTT(?:[ \t\r\n]|$)/.test(text) ? "vtt" : "srt";
}

export const readSrt = (text: string): CaptionsRead => readFile(text, "srt");
export const readVtt = (text: string): CaptionsRead => readFile(text, "vtt");

/** SubRip has no escapes: what would read as a line of times, or as an empty one, is written otherwise. */
const srtLine = (line: string) => oneLine(line).replaceAll("-->", "→");
const escaped = (line: string) =>
  oneLine(line).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const oneLine = (line: string) => line.replaceAll(/[\r\n\u2028\u2029]+/gu, " ");

function clock(seconds: number, mark: "," | "."): string {
  const ms = Math.round(seconds * 1_000);
  const part = (value: number, digits: number) => String(value).padStart(digits, "0");
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  return `${part(hours, 2)}:${part(minutes, 2)}:${part(Math.floor(ms / 1_000) % 60, 2)}${mark}${part(ms % 1_000, 3)}`;
}

class CaptionError extends Error {
  readonly fault: CaptionFault;

  constructor(fault: CaptionFault) {
    super(fault.detail);
    this.name = "CaptionError";
    this.fault = fault;
  }
}

function fail(kind: CaptionFault["kind"], line: number, detail: string): never {
  throw new CaptionError({ kind, line, detail });
}

function readFile(text: string, format: CaptionFormat): CaptionsRead {
  try {
    return { ok: true, captions: cuesOf(text, format) };
  } catch (error) {
    if (!(error instanceof CaptionError)) throw error;
    return { ok: false, fault: error.fault };
  }
}

interface Block {
  /** Of its first line. */
  line: number;
  lines: string[];
}

function cuesOf(text: string, format: CaptionFormat): Caption[] {
  if (text.length > mostCharacters) fail("too-large", 0, `The file has more than ${mostCharacters} characters.`);
  const blocks = blocksOf(text.replace(/^\uFEFF/, "").replaceAll("\u0000", "\uFFFD"));
  const cues = format === "vtt" ? cueBlocksOf(blocks) : blocks;
  const surplus = cues[mostCues];
  if (surplus) fail("too-many", surplus.line, `The file has more than ${mostCues} cues.`);
  const captions = cues.flatMap(cueOf);
  if (captions.length === 0) fail("no-cues", 0, "The file has no cue with text.");
  return captions.toSorted((one, other) => one.startSeconds - other.startSeconds);
}

function cueBlocksOf(blocks: Block[]): Block[] {
  const [first] = blocks;
  if (first?.line !== 1 || !/^WEBVTT(?:[ \t]|$)/.test(first.lines[0] ?? ""))
    fail("no-header", 1, "The file does not begin with WEBVTT.");
  return withoutHeader(blocks).filter(({ lines }) => !/^(?:NOTE|STYLE|REGION)(?:[ \t]|$)/.test(lines[0] ?? ""));
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | null = null;
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) {
    if (line.trim() === "") open = null;
    else if (open) open.lines.push(line);
    else blocks.push((open = { line: index + 1, lines: [line] }));
  }
  return blocks;
}

/** A cue may follow the header's own lines without an empty one between them. */
function withoutHeader([first, ...others]: Block[]): Block[] {
  const at = first?.lines.findIndex((line) => line.includes("-->")) ?? -1;
  return first && at > 0 ? [{ line: first.line + at, lines: first.lines.slice(at) }, ...others] : others;
}

const timesLine = /^\s*(\S+)\s+-->\s+(\S+)(?:\s.*)?$/;
const moment = /^(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})$/;

/** None for a cue without text, as editors leave them. */
function cueOf({ line, lines }: Block): Caption[] {
  const at = lines[0]?.includes("-->") === true ? 0 : 1;
  const times = timesLine.exec(lines[at] ?? "");
  if (!times)
    fail(
      "bad-cue",
      line + Math.min(at, lines.length - 1),
      "A cue has no line of the form 00:00:01,000 --> 00:00:02,000.",
    );
  const startSeconds = secondsOf(times[1] ?? "", line + at);
  const endSeconds = secondsOf(times[2] ?? "", line + at);
  if (endSeconds <= startSeconds) fail("times-reversed", line + at, "A cue ends before it has begun.");
  const written = lines.slice(at + 1);
  if (written.length > mostLines) fail("bad-cue", line, `A cue has more than ${mostLines} lines.`);
  const tooLong = written.findIndex((text) => text.length > mostLineCharacters);
  if (tooLong >= 0) fail("bad-cue", line + at + 1 + tooLong, `A line has more than ${mostLineCharacters} characters.`);
  const strayTimes = written.findIndex((text) => timesLine.test(text));
  if (strayTimes >= 0) fail("bad-cue", line + at + 1 + strayTimes, "There is no empty line between two cues.");
  const plain = written.map(plainText).filter(Boolean);
  return plain.length === 0 ? [] : [{ startSeconds, endSeconds, lines: plain, speaker: speakerIn(written) }];
}

function secondsOf(text: string, line: number): number {
  const [, hours = "0", minutes = "", seconds = "", fraction = ""] = moment.exec(text) ?? [];
  if (minutes === "" || Number(minutes) > 59 || Number(seconds) > 59)
    fail("bad-time", line, "A time is not of the form 00:00:01,000.");
  const whole = Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
  return (whole * 1_000 + Number(fraction.padEnd(3, "0"))) / 1_000;
}

const markup = /<\/?(?:[a-z][^<>]{0,200}|\d[\d:.]{0,20})?>|\{\\[^{}]{0,100}\}/gi;
const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", nbsp: " ", lrm: "", rlm: "", quot: '"' };

function plainText(line: string): string {
  return line
    .replaceAll(markup, "")
    .replaceAll(/&([a-z]{2,4});/g, (whole, name: string) =>
      Object.hasOwn(entities, name) ? (entities[name] ?? "") : whole,
    )
    .replaceAll(/\s+/gu, " ")
    .trim();
}

/** WebVTT's voice, when the whole cue has one. */
function speakerIn(lines: readonly string[]): string | null {
  const voices = [...lines.join("\n").matchAll(/<v(?:\.[^\s<>]{0,100})?[ \t]([^<>]{1,200})>/g)];
  const [only] = voices;
  return only && voices.length === 1 ? plainText(only[1] ?? "").slice(0, mostSpeakerCharacters) || null : null;
}
