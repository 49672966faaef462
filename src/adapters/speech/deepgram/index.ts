/** Deepgram's recordings: https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded */
import { type Asked, providerOf } from "../call.ts";
import type { SpeechResult, SpokenSegment } from "../contract.ts";
import {
  type Json,
  languageCodeOf,
  listOf,
  numberOf,
  objectOf,
  segmentsOfWords,
  shareOf,
  spanOf,
  textOf,
  wordOf,
} from "../reading.ts";

export const deepgram = providerOf({ name: "deepgram", usualModel: "nova-3", call, read });

function call({ target, request, language }: Asked): Request {
  const url = new URL(`${target.baseUrl}/listen`);
  const options: Record<string, string> = {
    model: target.model,
    smart_format: "true",
    punctuate: "true",
    utterances: "true",
    ...(request.wantsSpeakers ? { diarize: "true" } : {}),
    ...(language === null ? { detect_language: "true" } : { language }),
  };
  for (const [name, value] of Object.entries(options)) url.searchParams.set(name, value);
  return new Request(url, {
    method: "POST",
    headers: { authorization: `Token ${target.secret}`, "content-type": request.contentType },
    body: request.audio,
  });
}

function read(body: unknown, { request, language }: Asked): SpeechResult | null {
  const answer = objectOf(body);
  const results = objectOf(answer["results"]);
  const [channel] = listOf(results["channels"]);
  const [best] = listOf(channel?.["alternatives"]);
  const text = textOf(best?.["transcript"]);
  if (text === null) return null;
  const told = listOf(results["utterances"]).flatMap((entry) => segmentOf(entry, request));
  const segments = told.length > 0 ? told : segmentsOfWords(saidIn(best ?? {}, request));
  return {
    text: text.trim(),
    language: languageCodeOf(channel?.["detected_language"]) ?? language,
    durationSeconds: numberOf(objectOf(answer["metadata"])["duration"]),
    segments: request.wantsWords ? segments : segments.map((segment) => ({ ...segment, words: [] })),
  };
}

type Wanted = Asked["request"];

function segmentOf(entry: Json, request: Wanted): SpokenSegment[] {
  const span = spanOf(entry);
  const text = textOf(entry["transcript"])?.trim() ?? "";
  if (!span || text === "") return [];
  const words = saidIn(entry, request).map(({ word }) => word);
  return [{ text, ...span, speaker: speakerOf(entry, request), confidence: shareOf(entry["confidence"]), words }];
}

function saidIn(entry: Json, request: Wanted) {
  return listOf(entry["words"]).flatMap((said) => {
    const word = wordOf(said, "punctuated_word") ?? wordOf(said, "word");
    return word ? [{ word, speaker: speakerOf(said, request), written: word.text }] : [];
  });
}

function speakerOf({ speaker }: Json, { wantsSpeakers }: Wanted): string | null {
  const number = numberOf(speaker);
  return wantsSpeakers && number !== null ? `speaker_${number}` : null;
}
