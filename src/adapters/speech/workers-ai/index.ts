/** Whisper on Workers AI by its REST API: https://developers.cloudflare.com/workers-ai/models/whisper-large-v3-turbo */
import { type Asked, providerOf } from "../call.ts";
import type { SpeechResult, SpokenSegment } from "../contract.ts";
import { languageCodeOf, listOf, numberOf, objectOf, spanOf, textOf, wordOf } from "../reading.ts";

export const workersAi = providerOf({
  name: "workers-ai",
  usualModel: "@cf/openai/whisper-large-v3-turbo",
  call,
  read,
});

/** The base URL ends with `/accounts/<id>/ai`. */
function call({ target, request, language }: Asked): Request {
  const body = {
    audio: request.audio.toBase64(),
    task: "transcribe",
    ...(language === null ? {} : { language }),
    ...(request.prompt === null ? {} : { initial_prompt: request.prompt }),
  };
  return new Request(`${target.baseUrl}/run/${target.model}`, {
    method: "POST",
    headers: { authorization: `Bearer ${target.secret}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

function read(body: unknown, { request, language }: Asked): SpeechResult | null {
  const result = objectOf(objectOf(body)["result"]);
  const text = textOf(result["text"]);
  if (text === null) return null;
  const about = objectOf(result["transcription_info"]);
  return {
    text: text.trim(),
    language: languageCodeOf(about["language"]) ?? language,
    durationSeconds: numberOf(about["duration"]),
    segments: listOf(result["segments"]).flatMap((entry): SpokenSegment[] => {
      const span = spanOf(entry);
      const said = textOf(entry["text"])?.trim() ?? "";
      const words = request.wantsWords ? listOf(entry["words"]).flatMap((word) => wordOf(word, "word") ?? []) : [];
      return span && said !== "" ? [{ text: said, ...span, speaker: null, confidence: null, words }] : [];
    }),
  };
}
