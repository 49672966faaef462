/** The header of a WAV file of whole numbers (RIFF/WAVE, Microsoft 1991), for whoever makes one; reading and cutting files of others is wav.ts. */

export const wavHeaderBytes = 44;

export interface WavSound {
  channels: number;
  sampleRateHz: number;
  bitsPerSample: 8 | 16 | 24 | 32;
  /** Of the samples that follow. */
  dataBytes: number;
}

export function wavHeader({ channels, sampleRateHz, bitsPerSample, dataBytes }: WavSound): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(wavHeaderBytes);
  const view = new DataView(header.buffer);
  const put = (at: number, text: string) => new TextEncoder().encodeInto(text, header.subarray(at));
  const frameBytes = (channels * bitsPerSample) / 8;
  put(0, "RIFF");
  view.setUint32(4, wavHeaderBytes - 8 + dataBytes, true);
  put(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  // PCM.
  view.setUint16(20, 1, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz * frameBytes, true);
  view.setUint16(32, frameBytes, true);
  view.setUint16(34, bitsPerSample, true);
  put(36, "data");
  view.setUint32(40, dataBytes, true);
  return header;
}
