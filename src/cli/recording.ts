/** Makes a long recording out of a short one: a valid WAV file whose sound is repeated. Refuses anything but a plain PCM WAV. */

interface WavParts {
  /** The `fmt ` chunk's content: channels, rate and sample size (RIFF/WAVE, Microsoft 1991). */
  format: Buffer;
  samples: Buffer;
}

/** Repeats the sound of `wav` as often as fits into `maxBytes`, header included. */
export function repeatWav(wav: Buffer, maxBytes: number): Buffer {
  const { format, samples } = readWav(wav);
  const headerBytes = 12 + 8 + format.length + 8;
  const times = Math.floor((maxBytes - headerBytes) / samples.length);
  if (times < 1) throw new Error("The recording does not fit.");
  const sound = Buffer.concat(Array.from({ length: times }, () => samples));
  const body = Buffer.concat([Buffer.from("WAVE"), chunk("fmt ", format), chunk("data", sound)]);
  return chunk("RIFF", body);
}

/** Seconds of sound. */
export function lengthOfWav(wav: Buffer): number {
  const { format, samples } = readWav(wav);
  return samples.length / format.readUInt32LE(8);
}

function chunk(id: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(id, 0, "latin1");
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

function readWav(wav: Buffer): WavParts {
  if (wav.toString("latin1", 0, 4) !== "RIFF" || wav.toString("latin1", 8, 12) !== "WAVE")
    throw new Error("Not a WAV file.");
  const found: { format?: Buffer; samples?: Buffer } = {};
  for (let at = 12; at + 8 <= wav.length;) {
    const id = wav.toString("latin1", at, at + 4);
    const sizeBytes = wav.readUInt32LE(at + 4);
    const content = wav.subarray(at + 8, at + 8 + sizeBytes);
    if (id === "fmt ") found.format = content;
    if (id === "data") found.samples = content;
    at += 8 + sizeBytes + (sizeBytes % 2);
  }
  const { format, samples } = found;
  if (!format || !samples || samples.length === 0 || samples.length % 2 === 1) throw new Error("Not a PCM WAV file.");
  return { format, samples };
}
