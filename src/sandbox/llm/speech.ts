/** Text to speech: a quiet tone in WAV or PCM, silence in MP3, as long as the text. It speaks no word. */
import { wavHeader, wavHeaderBytes } from "#lib/audio/wav-header";
import type { Call } from "./call.ts";
import type { Answer } from "./delivery.ts";
import { diceOf } from "./dice.ts";
import { missing, unsupported, wrongValue } from "./failure.ts";
import { decimal, oneOf, requiredText } from "./fields.ts";
import { countTokens } from "./tokens.ts";
import { modelOf } from "./usage.ts";

const maxInputLength = 4_096;
/** How long a token is spoken. */
const tokenMs = 100;
const wavRate = 8_000;
/** OpenAI's raw samples: 24 kHz, 16 bits, mono, little-endian. */
const pcmRate = 24_000;

export function speak({ fields }: Call): Answer {
  modelOf(fields);
  const input = requiredText(fields, "input");
  if ((fields["voice"] ?? null) === null) throw missing("voice");
  if (input === "" || input.length > maxInputLength)
    throw wrongValue(
      "input",
      `Invalid 'input': expected 1 to ${maxInputLength} characters.`,
      "string_above_max_length",
    );
  if (fields["stream_format"] === "sse") throw unsupported("stream_format");
  const speed = decimal(fields, "speed", { min: 0.25, max: 4 }) ?? 1;
  const format = oneOf(fields, "response_format", ["mp3", "wav", "pcm"]);
  const tokens = countTokens(input);
  const ms = Math.ceil((tokens * tokenMs) / speed);
  if (format === "mp3") return { kind: "bytes", body: mp3Of(ms), type: "audio/mpeg", tokens };
  const hertz = 200 + diceOf(input).below(400);
  if (format === "pcm")
    return { kind: "bytes", body: tone({ ms, hertz, rate: pcmRate, offset: 0 }), type: "audio/pcm", tokens };
  return { kind: "bytes", body: wavOf(ms, hertz), type: "audio/wav", tokens };
}

interface Tone {
  ms: number;
  hertz: number;
  rate: number;
  /** Bytes that are left free before the samples. */
  offset: number;
}

function tone({ ms, hertz, rate, offset }: Tone): Uint8Array<ArrayBuffer> {
  const samples = Math.round((ms * rate) / 1_000);
  const bytes = new Uint8Array(offset + samples * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < samples; index += 1)
    view.setInt16(offset + index * 2, Math.round(3_000 * Math.sin((2 * Math.PI * hertz * index) / rate)), true);
  return bytes;
}

function wavOf(ms: number, hertz: number): Uint8Array<ArrayBuffer> {
  const bytes = tone({ ms, hertz, rate: wavRate, offset: wavHeaderBytes });
  const dataBytes = bytes.length - wavHeaderBytes;
  bytes.set(wavHeader({ channels: 1, sampleRateHz: wavRate, bitsPerSample: 16, dataBytes }));
  return bytes;
}

/** MPEG-1 layer III, 48 kHz, 32 kbit/s, mono: 96 bytes and 24 ms a frame. A frame of zeros after its header is silence. */
const frameHeader = [0xff, 0xfb, 0x14, 0xc0];
const frameBytes = 96;
const frameMs = 24;

function mp3Of(ms: number): Uint8Array<ArrayBuffer> {
  const frames = Math.ceil(ms / frameMs);
  const bytes = new Uint8Array(frames * frameBytes);
  for (let frame = 0; frame < frames; frame += 1) bytes.set(frameHeader, frame * frameBytes);
  return bytes;
}
