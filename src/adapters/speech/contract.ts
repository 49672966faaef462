/** What transcription and the companies that hear agree on. A provider's own words stay in its folder: a fault says what happened in ours. */
import type { Ctx } from "#core/context";
import type { SpeechResult } from "#lib/audio/spoken";

export type { SpeechResult, SpokenSegment, SpokenWord } from "#lib/audio/spoken";

export interface SpeechRequest {
  audio: Uint8Array<ArrayBuffer>;
  /** With the extension of its container: some providers go by it. */
  fileName: string;
  contentType: string;
  /** ISO 639-1 (or 639-3), perhaps with a region; null: the provider finds out. */
  language: string | null;
  /** Names and spellings to expect; not sent to a provider that takes none. */
  prompt: string | null;
  /** 0 to 1. */
  temperature: number | null;
  wantsWords: boolean;
  wantsSpeakers: boolean;
}

/** Where a call goes. */
export interface SpeechTarget {
  /** Which adapter speaks: `openai`, `workers-ai`, `deepgram`, `elevenlabs`. */
  adapter: SpeechAdapterName;
  /** Without a slash at the end; what follows is the provider's own path, after the version. */
  baseUrl: string;
  /** Never logged. */
  secret: string;
  /** The name at the provider. */
  model: string;
  /** The address was named by a tenant: the rules of `outbound.tenant` apply. */
  isTenantUrl: boolean;
}

export const speechAdapterNames = ["openai", "workers-ai", "deepgram", "elevenlabs"] as const;
export type SpeechAdapterName = (typeof speechAdapterNames)[number];

/**
 * `unreachable`: no connection, or it broke. `refused`: the provider does not take this request, and will not take it again. `invalid-answer`: it
 * answered, but not with a transcript. `too-large` and `too-long` call for smaller chunks, `credentials` for another key, the others for patience.
 */
export interface SpeechFault {
  kind:
    | "unreachable"
    | "timeout"
    | "rate-limited"
    | "overloaded"
    | "credentials"
    | "refused"
    | "too-large"
    | "too-long"
    | "invalid-answer";
  /** When the provider said it. */
  retryAfterMs: number | null;
  /** A sentence of ours for people; never the provider's words. */
  detail: string;
}

export interface SpeechCapabilities {
  /** Of the recording; the form around it counts, too, so leave it room. */
  requestBytesMax: number;
  secondsMax: number | null;
  /** Times of words. */
  words: boolean;
  speakers: boolean;
  prompt: boolean;
  /** ISO 639-1 or 639-3, lower case. */
  languages: readonly string[] | "any";
}

export type SpeechOutcome = { ok: true; result: SpeechResult } | { ok: false; fault: SpeechFault };
export type SpeechCtx = Pick<Ctx, "outbound" | "now" | "log">;

export interface SpeechProvider {
  name: SpeechAdapterName;
  /** Of the adapter's usual model; `capabilitiesOf` knows others. */
  capabilities: SpeechCapabilities;
  /** One call, without repetition: whoever asks decides on that. Never throws for what the provider does. */
  transcribe(ctx: SpeechCtx, target: SpeechTarget, request: SpeechRequest): Promise<SpeechOutcome>;
}
