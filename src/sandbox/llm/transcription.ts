/** Speech to text in OpenAI's formats: https://platform.openai.com/docs/api-reference/audio. What is heard, the recogniser says. */
import { recognise, recogniseAnything } from "../speech/recognise.ts";
import { bare, type Segment, segmentsOf, speakerOf, subtitles, textOf } from "../speech/segments.ts";
import type { HeardWord } from "../speech/heard.ts";
import { fileTooLarge, maxFileBytes } from "./body.ts";
import type { Call, UploadedFile } from "./call.ts";
import type { Answer, Piece } from "./delivery.ts";
import { missing, openaiError, serverError, wrongValue } from "./failure.ts";
import { decimal, type Fields, flag, oneOf, optionalText } from "./fields.ts";
import { splitTokens } from "./tokens.ts";
import { modelOf } from "./usage.ts";

const audioTokensPerSecond = 10;
const longestSeconds = 1_400;
const extensions = /\.(?:flac|m4a|mp3|mp4|mpeg|mpga|oga|ogg|wav|webm)$/i;

export async function transcribe(call: Call): Promise<Answer> {
  const { fields, fault } = call;
  const heard = await hear(call, "transcribe");
  if (flag(fields, "stream") !== true || heard.model === "whisper-1") return answerAs(heard, fields);
  const usage = fault.kind === "no-usage" ? {} : { usage: tokenUsage(heard) };
  const errorEvent = eventOf({ type: "error", ...openaiError(serverError()) });
  return { kind: "stream", pieces: pieces(heard, usage), tokens: heard.tokens.length, errorEvent };
}

export async function translate(call: Call): Promise<Answer> {
  return answerAs(await hear(call, "translate"), call.fields);
}

interface Heard {
  task: "transcribe" | "translate";
  model: string;
  language: string;
  seconds: number;
  words: HeardWord[];
  text: string;
  tokens: string[];
  withUsage: boolean;
}

async function hear({ fields, files, fault, headers }: Call, task: Heard["task"]): Promise<Heard> {
  const model = modelOf(fields);
  const file = files.find(({ name }) => name === "file");
  if (!file) throw missing("file");
  const requestBytes = Number(headers.get("content-length") ?? 0);
  if (requestBytes > maxFileBytes) throw fileTooLarge(requestBytes);
  if (!extensions.test(file.fileName))
    throw wrongValue(
      "file",
      "Invalid file format. Supported formats: flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav, webm.",
    );
  decimal(fields, "temperature", { min: 0, max: 1 });
  const language = languageOf(fields, task);
  const { seconds, words } = await listen(file);
  const text = textOf(words);
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

function languageOf(fields: Fields, task: Heard["task"]): string {
  const language = optionalText(fields, "language");
  if (language !== null && !/^[a-z]{2,3}(?:-[a-z]{2,4})?$/i.test(language))
    throw wrongValue(
      "language",
      `Invalid language '${language.slice(0, 20)}'. Language parameter must be specified in ISO-639-1 format.`,
      "invalid_language_format",
    );
  return task === "translate" ? "english" : (language ?? "english");
}

async function listen({ bytes, sizeBytes }: UploadedFile) {
  const heard = (bytes && (await recognise(bytes))) ?? recogniseAnything(sizeBytes);
  if (heard.seconds < 0.1)
    throw wrongValue("file", "Audio file is too short. Minimum audio length is 0.1 seconds.", "audio_too_short");
  if (heard.seconds > longestSeconds)
    throw wrongValue(
      "file",
      `audio duration ${heard.seconds} seconds is longer than ${longestSeconds} seconds which is the maximum for this model`,
    );
  return heard;
}

function answerAs(heard: Heard, fields: Fields): Answer {
  const tokens = heard.tokens.length;
  const format = oneOf(fields, "response_format", ["json", "text", "verbose_json", "srt", "vtt", "diarized_json"]);
  if (format === "json") return { kind: "json", body: { text: heard.text, ...usagePart(heard) }, tokens };
  if (format === "verbose_json") return { kind: "json", body: verbose(heard, fields), tokens };
  if (format === "diarized_json") return { kind: "json", body: diarized(heard), tokens };
  const body = {
    text: () => `${heard.text}\n`,
    srt: () => subtitles(heard.words, ","),
    vtt: () => subtitles(heard.words, "."),
  }[format]();
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

function verbose(heard: Heard, fields: Fields) {
  const wanted = fields["timestamp_granularities"];
  const granularities: unknown[] = Array.isArray(wanted) ? wanted : ["segment"];
  const segments = segmentsOf(heard.words).map(({ start, end, text }, id) => ({
    id,
    seek: Math.round(start * 100),
    start,
    end,
    text,
    tokens: splitTokens(text).map((_, place) => place),
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
    ...(granularities.includes("word") ? { words: heard.words.map(wordOf) } : {}),
    ...(heard.withUsage ? { usage: durationUsage(heard) } : {}),
  };
}

const wordOf = ({ text, startMs, endMs }: HeardWord) => ({
  word: bare(text),
  start: startMs / 1_000,
  end: endMs / 1_000,
});

function diarized(heard: Heard) {
  const segments = segmentsOf(heard.words).map(({ start, end, text }: Segment, index) => ({
    type: "transcript.text.segment",
    id: `seg_${String(index).padStart(3, "0")}`,
    start,
    end,
    text,
    speaker: speakerOf(index),
  }));
  return { task: heard.task, duration: heard.seconds, text: heard.text, segments, ...usagePart(heard) };
}

function eventOf(body: object): string {
  return `data: ${JSON.stringify(body)}\n\n`;
}

function* pieces({ tokens, text }: Heard, usage: object): Generator<Piece> {
  for (const delta of tokens) yield { data: eventOf({ type: "transcript.text.delta", delta }), isToken: true };
  yield { data: eventOf({ type: "transcript.text.done", text, ...usage }), isToken: false };
  yield { data: "data: [DONE]\n\n", isToken: false };
}
