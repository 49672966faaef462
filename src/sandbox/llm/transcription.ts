/** Speech to text: numbered words, one for each 400 ms, so that seams can be tried. What is really said in a recording it does not hear. */
import type { Call, UploadedFile } from "./call.ts";
import type { Answer, Piece } from "./delivery.ts";
import { missing, openaiError, serverError, wrongValue } from "./failure.ts";
import { decimal, type Fields, flag, oneOf, optionalText } from "./fields.ts";
import { splitTokens } from "./tokens.ts";
import { modelOf } from "./usage.ts";

const wordSeconds = 0.4;
/** More than 25 MB at 128 kbit/s; what is longer at a lower rate ends here. */
const maxWords = 9_999;
const wordsPerSegment = 10;
/** 128 kbit/s: how bytes become seconds where no WAV header says it. */
const usualBytesPerSecond = 16_000;
const audioTokensPerSecond = 10;
const extensions = /\.(?:flac|m4a|mp3|mp4|mpeg|mpga|oga|ogg|wav|webm)$/i;

export function transcribe(call: Call): Answer {
  const { fields, fault } = call;
  const heard = hear(call, "transcribe");
  if (flag(fields, "stream") !== true || heard.model === "whisper-1") return answerAs(heard, fields);
  const usage = fault.kind === "no-usage" ? {} : { usage: tokenUsage(heard) };
  const errorEvent = eventOf({ type: "error", ...openaiError(serverError()) });
  return { kind: "stream", pieces: pieces(heard, usage), tokens: heard.tokens.length, errorEvent };
}

export function translate(call: Call): Answer {
  return answerAs(hear(call, "translate"), call.fields);
}

interface Heard {
  task: "transcribe" | "translate";
  model: string;
  language: string;
  seconds: number;
  words: { word: string; start: number; end: number }[];
  text: string;
  tokens: string[];
  withUsage: boolean;
}

function hear({ fields, files, fault }: Call, task: Heard["task"]): Heard {
  const model = modelOf(fields);
  const file = files.find(({ name }) => name === "file");
  if (!file) throw missing("file");
  if (!extensions.test(file.fileName))
    throw wrongValue(
      "file",
      "Invalid file format. Supported formats: flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm.",
    );
  decimal(fields, "temperature", { min: 0, max: 1 });
  const seconds = secondsOf(file);
  if (seconds < 0.1)
    throw wrongValue("file", "Audio file is too short. Minimum audio length is 0.1 seconds.", "audio_too_short");
  const count = Math.min(Math.ceil(seconds / wordSeconds), maxWords);
  const words = Array.from({ length: count }, (_, index) => ({
    word: numberWord(index + 1),
    start: tenths(index * wordSeconds),
    end: tenths(Math.min((index + 1) * wordSeconds, Math.max(seconds, wordSeconds))),
  }));
  const text = words.map(({ word }) => word).join(" ");
  const language = task === "translate" ? "english" : (optionalText(fields, "language") ?? "english");
  return {
    task,
    model,
    language,
    seconds,
    words,
    text,
    tokens: splitTokens(text),
    withUsage: fault.kind !== "no-usage",
  };
}

const tenths = (seconds: number) => Math.round(seconds * 10) / 10;

/** From the WAV header, when there is one: its rate of bytes, and the bytes after the header. */
function secondsOf({ head, sizeBytes }: UploadedFile): number {
  const latin = new TextDecoder("latin1").decode(head);
  const format = latin.indexOf("fmt ");
  const data = latin.indexOf("data");
  if (!latin.startsWith("RIFF") || format < 0 || data < 0 || format + 20 > head.byteLength)
    return sizeBytes / usualBytesPerSecond;
  const rate = new DataView(head.buffer, head.byteOffset).getUint32(format + 16, true);
  return rate === 0 ? 0 : Math.max(0, sizeBytes - data - 8) / rate;
}

const small =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const tens = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");

/** One word without blanks, for numbers below 10,000: "twenty-one", "one-hundred-two". */
export function numberWord(number: number): string {
  if (number < 20) return small[number] ?? "";
  if (number < 100) return joined(tens[Math.floor(number / 10) - 2] ?? "", number % 10);
  if (number < 1_000) return joined(`${numberWord(Math.floor(number / 100))}-hundred`, number % 100);
  return joined(`${numberWord(Math.floor(number / 1_000))}-thousand`, number % 1_000);
}

const joined = (first: string, rest: number) => (rest === 0 ? first : `${first}-${numberWord(rest)}`);

function answerAs(heard: Heard, fields: Fields): Answer {
  const tokens = heard.tokens.length;
  const format = oneOf(fields, "response_format", ["json", "text", "verbose_json", "srt", "vtt"]);
  if (format === "json") return { kind: "json", body: { text: heard.text, ...usagePart(heard) }, tokens };
  if (format === "verbose_json") return { kind: "json", body: verbose(heard, fields), tokens };
  const body = { text: () => `${heard.text}\n`, srt: () => subtitles(heard, ","), vtt: () => subtitles(heard, ".") }[
    format
  ]();
  return { kind: "bytes", body, type: "text/plain; charset=utf-8", tokens };
}

function usagePart(heard: Heard) {
  if (!heard.withUsage || heard.task === "translate") return {};
  return { usage: heard.model === "whisper-1" ? durationUsage(heard) : tokenUsage(heard) };
}

const durationUsage = ({ seconds }: Heard) => ({ type: "duration", seconds: Math.ceil(seconds) });

function tokenUsage({ seconds, tokens }: Heard) {
  const audio = Math.ceil(seconds * audioTokensPerSecond);
  return {
    type: "tokens",
    input_tokens: audio,
    input_token_details: { text_tokens: 0, audio_tokens: audio },
    output_tokens: tokens.length,
    total_tokens: audio + tokens.length,
  };
}

interface Segment {
  start: number;
  end: number;
  text: string;
}

function segmentsOf({ words }: Heard): Segment[] {
  return Array.from({ length: Math.ceil(words.length / wordsPerSegment) }, (_, index) => {
    const part = words.slice(index * wordsPerSegment, (index + 1) * wordsPerSegment);
    return { start: part[0]?.start ?? 0, end: part.at(-1)?.end ?? 0, text: part.map(({ word }) => word).join(" ") };
  });
}

function verbose(heard: Heard, fields: Fields) {
  const wanted = fields["timestamp_granularities"];
  const granularities: unknown[] = Array.isArray(wanted) ? wanted : ["segment"];
  const segments = segmentsOf(heard).map((segment, id) => ({
    id,
    seek: Math.round(segment.start * 100),
    ...segment,
    tokens: splitTokens(segment.text).map((_, place) => place),
    temperature: 0,
    avg_logprob: -0.1,
    compression_ratio: 1,
    no_speech_prob: 0,
  }));
  return {
    task: heard.task,
    language: heard.language,
    duration: heard.seconds,
    text: heard.text,
    ...(granularities.includes("segment") ? { segments } : {}),
    ...(granularities.includes("word") ? { words: heard.words } : {}),
    ...(heard.withUsage ? { usage: durationUsage(heard) } : {}),
  };
}

/** @param mark between seconds and thousandths: a comma in SubRip, a point in WebVTT */
function subtitles(heard: Heard, mark: "," | "."): string {
  const cues = segmentsOf(heard).map(({ start, end, text }, index) => {
    const times = `${clock(start, mark)} --> ${clock(end, mark)}`;
    return mark === "," ? `${index + 1}\n${times}\n${text}\n` : `${times}\n${text}\n`;
  });
  return `${mark === "." ? "WEBVTT\n\n" : ""}${cues.join("\n")}\n`;
}

function clock(seconds: number, mark: string): string {
  const ms = Math.round(seconds * 1_000);
  const part = (value: number, digits: number) => String(value).padStart(digits, "0");
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  return `${part(hours, 2)}:${part(minutes, 2)}:${part(Math.floor(ms / 1_000) % 60, 2)}${mark}${part(ms % 1_000, 3)}`;
}

function eventOf(body: object): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}

function* pieces({ tokens, text }: Heard, usage: object): Generator<Piece> {
  for (const delta of tokens) yield { data: eventOf({ type: "transcript.text.delta", delta }), isToken: true };
  yield { data: eventOf({ type: "transcript.text.done", text, ...usage }), isToken: false };
  yield { data: "data: [DONE]\n\n", isToken: false };
}
