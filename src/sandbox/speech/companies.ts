/**
 * How three companies take a recording and write what was said in it:
 * https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded, https://elevenlabs.io/docs/api-reference/speech-to-text/convert,
 * https://developers.cloudflare.com/workers-ai/models/whisper-large-v3-turbo
 */
import { readBody } from "../llm/body.ts";
import { LlmFailure, missing } from "../llm/failure.ts";
import { type Fields, optionalText, requiredText } from "../llm/fields.ts";
import type { Recognised } from "./recognise.ts";
import { bare, segmentsOf, subtitles, textOf } from "./segments.ts";

export interface Question {
  model: string;
  audio: Uint8Array<ArrayBuffer>;
  options: Fields;
}

export interface Company {
  keyOf(headers: Headers): string | null;
  read(request: Request, path: string): Promise<Question>;
  answer(question: Question, heard: Recognised, requestId: string): unknown;
  errorBody(failure: LlmFailure, requestId: string): unknown;
}

const mostBytes = 104_857_600;
const inSeconds = (ms: number) => ms / 1_000;

export const deepgram: Company = {
  keyOf: (headers) => /^Token (.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? null,
  async read(request) {
    const query = new URL(request.url).searchParams;
    const options: Fields = Object.fromEntries(query);
    return { model: query.get("model") ?? "base-general", audio: await readBytes(request), options };
  },
  answer({ options, model }, { seconds, words }, requestId) {
    const isDiarized = options["diarize"] === "true";
    const segments = segmentsOf(words);
    const said = segments.flatMap((segment, index) =>
      segment.words.map(({ text, startMs, endMs }) => ({
        word: bare(text).toLowerCase(),
        start: inSeconds(startMs),
        end: inSeconds(endMs),
        confidence: 0.99,
        punctuated_word: text,
        ...(isDiarized ? { speaker: index % 2, speaker_confidence: 0.9 } : {}),
      })),
    );
    const language = optionalText(options, "language") ?? "en";
    const utterances = segments.map(({ start, end, text }, index) => ({
      start,
      end,
      confidence: 0.99,
      channel: 0,
      transcript: text,
      words: said.filter((word) => word.start >= start && word.start < end),
      ...(isDiarized ? { speaker: index % 2 } : {}),
      id: `utt-${index}`,
    }));
    return {
      metadata: {
        request_id: requestId,
        created: "2026-01-01T00:00:00.000Z",
        duration: seconds,
        channels: 1,
        models: [model],
      },
      results: {
        channels: [
          {
            alternatives: [{ transcript: textOf(words), confidence: words.length > 0 ? 0.99 : 0, words: said }],
            ...(options["detect_language"] === "true" ? { detected_language: "en", language_confidence: 0.99 } : {}),
            ...(options["detect_language"] === "true" ? {} : { language }),
          },
        ],
        ...(options["utterances"] === "true" ? { utterances } : {}),
      },
    };
  },
  errorBody: ({ message, status }, requestId) => ({
    err_code: status === 401 ? "INVALID_AUTH" : status === 429 ? "TOO_MANY_REQUESTS" : "Bad Request",
    err_msg: message,
    request_id: requestId,
  }),
};

export const elevenLabs: Company = {
  keyOf: (headers) => headers.get("xi-api-key"),
  async read(request) {
    const { fields, files } = await readBody(request, { keepsFiles: true });
    const audio = files.find(({ name }) => name === "file")?.bytes;
    if (!audio) throw missing("file");
    return { model: requiredText(fields, "model_id"), audio, options: fields };
  },
  answer({ options }, { words }) {
    const isDiarized = options["diarize"] === "true";
    const pieces = segmentsOf(words).flatMap((segment, index) =>
      segment.words.flatMap(({ text, startMs, endMs }, place, all) => {
        const speaker = isDiarized ? { speaker_id: `speaker_${index % 2}` } : {};
        const end = inSeconds(endMs);
        const next = all[place + 1];
        const word = { text, start: inSeconds(startMs), end, type: "word", logprob: 0, ...speaker };
        return [
          word,
          { text: " ", start: end, end: next ? inSeconds(next.startMs) : end, type: "spacing", logprob: 0, ...speaker },
        ];
      }),
    );
    return {
      language_code: optionalText(options, "language_code") ?? "eng",
      language_probability: 0.99,
      text: textOf(words),
      words: pieces.slice(0, -1),
    };
  },
  errorBody: ({ message, options }) => ({ detail: { status: options.code ?? "invalid_request", message } }),
};

export const workersAi: Company = {
  keyOf: (headers) => /^Bearer (.+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? null,
  async read(request, path) {
    const { fields } = await readBody(request, { keepsFiles: false });
    return { model: path.slice("run/".length), audio: fromBase64(requiredText(fields, "audio")), options: fields };
  },
  answer({ options }, { seconds, words }) {
    const segments = segmentsOf(words).map((segment) => ({
      start: segment.start,
      end: segment.end,
      text: segment.text,
      temperature: 0,
      avg_logprob: -0.1,
      compression_ratio: 1,
      no_speech_prob: 0,
      words: segment.words.map(({ text, startMs, endMs }) => ({
        word: text,
        start: inSeconds(startMs),
        end: inSeconds(endMs),
      })),
    }));
    const language = optionalText(options, "language") ?? "en";
    const result = {
      transcription_info: { language, language_probability: 0.99, duration: seconds, duration_after_vad: seconds },
      text: textOf(words),
      word_count: words.length,
      segments,
      vtt: subtitles(words, "."),
    };
    return { result, success: true, errors: [], messages: [] };
  },
  errorBody: ({ message, status }) => ({
    result: null,
    success: false,
    errors: [{ code: status === 401 ? 10_000 : 5_006, message }],
    messages: [],
  }),
};

async function readBytes({ body }: Request): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of body ?? []) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > mostBytes) throw new LlmFailure(413, `The recording is larger than ${mostBytes} bytes.`);
    pieces.push(piece);
  }
  return Uint8Array.from(Buffer.concat(pieces));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw new LlmFailure(400, "The audio is not valid base64.");
  }
}
