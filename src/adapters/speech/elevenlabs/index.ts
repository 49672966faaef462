/** ElevenLabs' Scribe: https://elevenlabs.io/docs/api-reference/speech-to-text/convert */
import { type Asked, providerOf } from "../call.ts";
import type { SpeechFault, SpeechResult } from "../contract.ts";
import { languageCodeOf, listOf, objectOf, segmentsOfWords, textOf, wordOf } from "../reading.ts";

export const elevenLabs = providerOf({ name: "elevenlabs", usualModel: "scribe_v1", call, read, refusal });

function call({ target, request, language }: Asked): Request {
  const form = new FormData();
  const fields: Record<string, string> = {
    model_id: target.model,
    timestamps_granularity: "word",
    tag_audio_events: "false",
    diarize: String(request.wantsSpeakers),
    ...(language === null ? {} : { language_code: language }),
    ...(request.temperature === null ? {} : { temperature: String(request.temperature) }),
  };
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set("file", new File([request.audio], request.fileName, { type: request.contentType }));
  return new Request(`${target.baseUrl}/speech-to-text`, {
    method: "POST",
    headers: { "xi-api-key": target.secret },
    body: form,
  });
}

function read(body: unknown, { request, language }: Asked): SpeechResult | null {
  const answer = objectOf(body);
  const text = textOf(answer["text"]);
  if (text === null) return null;
  const words = listOf(answer["words"])
    .filter(({ type }) => type === "word")
    .flatMap((entry) => {
      const word = wordOf(entry, "text");
      const speaker = request.wantsSpeakers ? textOf(entry["speaker_id"]) : null;
      return word ? [{ word, speaker, written: word.text }] : [];
    });
  const segments = segmentsOfWords(words);
  return {
    text: text.trim(),
    language: languageCodeOf(answer["language_code"]) ?? language,
    durationSeconds: null,
    segments: request.wantsWords ? segments : segments.map((segment) => ({ ...segment, words: [] })),
  };
}

function refusal(status: number, body: unknown): SpeechFault["kind"] | null {
  const { status: code } = objectOf(objectOf(body)["detail"]);
  if (code === "quota_exceeded") return "credentials";
  return status === 429 && code === "system_busy" ? "overloaded" : null;
}
