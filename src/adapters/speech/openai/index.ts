/** OpenAI's transcription API, as many companies speak it: https://platform.openai.com/docs/api-reference/audio/createTranscription */
import { isDiarizing, tellsNoTimes } from "../capabilities.ts";
import { type Asked, providerOf } from "../call.ts";
import type { SpeechFault, SpeechResult, SpokenSegment } from "../contract.ts";
import { languageCodeOf, listOf, numberOf, objectOf, spanOf, textOf, withWords, wordOf } from "../reading.ts";

/** The model takes at most this much of a prompt, and leaves the beginning out: 224 tokens. */
const mostPromptCharacters = 800;

export const openai = providerOf({ name: "openai", usualModel: "whisper-1", call, read, refusal });

function call({ target, request, capabilities, language }: Asked): Request {
  const form = new FormData();
  form.set("model", target.model);
  const set = (name: string, value: string | null) => value !== null && form.set(name, value);
  set("language", language);
  if (capabilities.prompt) set("prompt", request.prompt?.slice(-mostPromptCharacters) ?? null);
  set("temperature", request.temperature?.toString() ?? null);
  form.set("response_format", formatOf(target.model));
  if (capabilities.words) {
    form.append("timestamp_granularities[]", "segment");
    if (request.wantsWords) form.append("timestamp_granularities[]", "word");
  }
  // Required for more than 30 s.
  if (isDiarizing(target.model)) form.set("chunking_strategy", "auto");
  form.set("file", new File([request.audio], acceptedName(request.fileName), { type: request.contentType }));
  const headers: Record<string, string> = target.secret === "" ? {} : { authorization: `Bearer ${target.secret}` };
  return new Request(`${target.baseUrl}/audio/transcriptions`, { method: "POST", headers, body: form });
}

/** Names are held against a list before anything is decoded, and that list lacks kinds of files that are decoded well. */
function acceptedName(fileName: string): string {
  return fileName
    .replace(/\.(?:aac|adts)$/i, ".m4a")
    .replace(/\.opus$/i, ".ogg")
    .replace(/\.mov$/i, ".mp4");
}

function formatOf(model: string): string {
  if (isDiarizing(model)) return "diarized_json";
  return tellsNoTimes(model) ? "json" : "verbose_json";
}

function read(body: unknown, { request, language }: Asked): SpeechResult | null {
  const answer = objectOf(body);
  const text = textOf(answer["text"]);
  if (text === null) return null;
  const words = listOf(answer["words"]).flatMap((entry) => wordOf(entry, "word") ?? []);
  const told = listOf(answer["segments"]).flatMap((entry): SpokenSegment[] => {
    const span = spanOf(entry);
    const said = textOf(entry["text"])?.trim() ?? "";
    const speaker = request.wantsSpeakers ? textOf(entry["speaker"]) : null;
    return span && said !== "" ? [{ text: said, ...span, speaker, confidence: null, words: [] }] : [];
  });
  const [first, last] = [words[0], words.at(-1)];
  const whole: SpokenSegment[] =
    first && last
      ? [
          {
            text: text.trim(),
            startSeconds: first.startSeconds,
            endSeconds: last.endSeconds,
            speaker: null,
            confidence: null,
            words: [],
          },
        ]
      : [];
  return {
    text: text.trim(),
    language: languageCodeOf(answer["language"]) ?? language,
    durationSeconds: numberOf(answer["duration"]),
    segments: withWords(told.length > 0 ? told : whole, request.wantsWords ? words : []),
  };
}

function refusal(status: number, body: unknown): SpeechFault["kind"] | null {
  const error = objectOf(objectOf(body)["error"]);
  const message = textOf(error["message"]) ?? "";
  if (error["code"] === "insufficient_quota") return "credentials";
  if (/Maximum content size limit/i.test(message)) return "too-large";
  if (status === 400 && /longer than [\d.]+ seconds/i.test(message)) return "too-long";
  return null;
}
