/** The sample recordings, as bytes, and what is said in them. */
import { wavHeader, wavHeaderBytes } from "#lib/audio/wav-header";
import clip from "../../fixtures/samples/clip.mp4?inline";
import aac from "../../fixtures/samples/interview.aac?inline";
import flac from "../../fixtures/samples/interview.flac?inline";
import m4a from "../../fixtures/samples/interview.m4a?inline";
import mp3 from "../../fixtures/samples/interview.mp3?inline";
import ogg from "../../fixtures/samples/interview.ogg?inline";
import webm from "../../fixtures/samples/interview.webm?inline";
import briefingWords from "../../fixtures/samples/briefing.words.json";
import interviewWords from "../../fixtures/samples/interview.words.json";
import { briefingWav } from "#test/support/fixtures";

export interface SampleWord {
  word: string;
  startMs: number;
}

export const words: { briefing: SampleWord[]; interview: SampleWord[] } = {
  briefing: briefingWords,
  interview: interviewWords,
};

const fromDataUrl = (url: string) => Uint8Array.fromBase64(url.slice(url.indexOf(",") + 1));

export const interviews = { aac, flac, m4a, mp3, ogg, webm, mp4: clip };

export function interview(extension: keyof typeof interviews): Uint8Array<ArrayBuffer> {
  return fromDataUrl(interviews[extension]);
}

/** WAV of 16 kHz mono in 16 bits. */
export function wavOf(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(wavHeaderBytes + data.length);
  bytes.set(wavHeader({ channels: 1, sampleRateHz: 16_000, bitsPerSample: 16, dataBytes: data.length }));
  bytes.set(data, wavHeaderBytes);
  return bytes;
}

/** The sound of briefing.wav, without its header. */
export function briefingSound(): Uint8Array<ArrayBuffer> {
  const wav = briefingWav();
  return wav.slice(Buffer.from(wav).indexOf("data") + 8);
}
