import { expect, it } from "vitest";
import { wavHeader, wavHeaderBytes } from "#lib/audio/wav-header";
import { briefingWav } from "#test/support/fixtures";

it("is that of a recording, byte for byte", () => {
  const recording = briefingWav();
  const dataBytes = recording.length - wavHeaderBytes;
  const header = wavHeader({ channels: 1, sampleRateHz: 16_000, bitsPerSample: 16, dataBytes });
  expect(header).toEqual(recording.subarray(0, wavHeaderBytes));
});

it("counts channels and bits", () => {
  const view = new DataView(wavHeader({ channels: 2, sampleRateHz: 8_000, bitsPerSample: 24, dataBytes: 12 }).buffer);
  expect([
    view.getUint32(4, true),
    view.getUint32(28, true),
    view.getUint16(32, true),
    view.getUint32(40, true),
  ]).toEqual([48, 48_000, 6, 12]);
});
