/**
 * What each provider's speech models take, as far as it is known on 2026-11-21. The limits are from the documents that stand beside them; the lists
 * of languages were not compared with the vendors' own that day, and a provider may know more by now. A language that a provider does not know is refused before the call, because most of them would answer with an invention.
 */
import type { SpeechAdapterName, SpeechCapabilities } from "./contract.ts";

const list = (codes: string): readonly string[] => codes.split(" ");

/** github.com/openai/whisper, tokenizer.py: what every Whisper knows, wherever it runs. */
const whisperLanguages = list(
  "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh",
);

/** platform.openai.com/docs/guides/speech-to-text, "Supported languages": those below half a word of error in two. */
const openaiLanguages = list(
  "af ar az be bg bs ca cs cy da de el en es et fa fi fr gl he hi hr hu hy id is it ja kk kn ko lt lv mi mk mr ms ne nl no pl pt ro ru sk sl sr sv sw ta th tl tr uk ur vi zh",
);

/** developers.deepgram.com/docs/models-languages-overview, Nova-3. */
const novaLanguages = list(
  "ar be bg bn bs ca cs da de el en es et fa fi fr he hi hr hu id it ja kn ko lt lv mk mr ms nl no pl pt ro ru sk sl sr sv ta te th tl tr uk ur vi zh",
);

/** elevenlabs.io/docs/capabilities/speech-to-text, Scribe; its three-letter codes where there are no two letters. */
const scribeLanguages = list(
  "af am ar as ast az be bg bn bs ca ceb cs cy da de el en es et fa ff fi fil fr ga gl gu ha he hi hr hu hy id ig is it ja jv ka kea kk km kn ko ku ky lb lg ln lo lt luo lv mi mk ml mn mr ms mt my ne nl no nso ny oc or pa pl ps pt ro ru sd sk sl sn so sr sv sw ta te tg th tr uk umb ur uz vi wo xh yue zh zu",
);

/** platform.openai.com/docs/guides/speech-to-text: 25 MB; 1,400 s by the models' own refusal. */
const openaiLimits = { requestBytesMax: 26_214_400, secondsMax: 1_400 } as const;

const whisper: SpeechCapabilities = {
  ...openaiLimits,
  words: true,
  speakers: false,
  prompt: true,
  languages: openaiLanguages,
};

const usual: Record<SpeechAdapterName, SpeechCapabilities> = {
  openai: whisper,
  // developers.cloudflare.com/workers-ai/models/whisper-large-v3-turbo: 10 MiB as base64 in JSON; what is larger runs out of the model's memory.
  "workers-ai": {
    requestBytesMax: 7_864_320,
    secondsMax: null,
    words: true,
    speakers: false,
    prompt: true,
    languages: whisperLanguages,
  },
  // developers.deepgram.com/docs/pre-recorded-audio: 2 GB; a Worker cannot hold more than this of it.
  deepgram: {
    requestBytesMax: 26_214_400,
    secondsMax: null,
    words: true,
    speakers: true,
    prompt: false,
    languages: novaLanguages,
  },
  // elevenlabs.io/docs/api-reference/speech-to-text/convert: 3 GB and ten hours; a Worker cannot hold more than this of it.
  elevenlabs: {
    requestBytesMax: 26_214_400,
    secondsMax: 36_000,
    words: true,
    speakers: true,
    prompt: false,
    languages: scribeLanguages,
  },
};

/** OpenAI's newer models tell no times, and the one that tells speakers takes no prompt. */
export function capabilitiesOf(adapter: SpeechAdapterName, model: string): SpeechCapabilities {
  if (adapter !== "openai") return usual[adapter];
  if (isDiarizing(model)) return { ...whisper, words: false, speakers: true, prompt: false };
  if (tellsNoTimes(model)) return { ...whisper, words: false };
  // Whisper elsewhere (Groq and others) has all of its languages.
  return model.includes("whisper-large") ? { ...whisper, languages: whisperLanguages } : whisper;
}

export const isDiarizing = (model: string): boolean => /transcribe-diarize/.test(model);
export const tellsNoTimes = (model: string): boolean => /gpt-(?:4o-)?(?:mini-)?transcribe/.test(model);

/** Older and longer codes of the same languages. */
const sameLanguage: Record<string, string> = { iw: "he", in: "id", jv: "jw", nb: "no", fil: "tl", cmn: "zh" };

/** The provider's code of a language, whatever its region, or null when it does not know it. */
export function languageFor({ languages }: SpeechCapabilities, language: string): string | null {
  const [code = ""] = language.toLowerCase().split(/[-_]/);
  if (languages === "any") return code;
  const aliases = Object.entries(sameLanguage).flatMap(([one, other]) =>
    one === code ? [other] : other === code ? [one] : [],
  );
  return [code, ...aliases].find((known) => languages.includes(known)) ?? null;
}
