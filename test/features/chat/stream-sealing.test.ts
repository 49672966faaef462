/** Parts of kept streams open where they were sealed, and nowhere else. */
import { describe, expect, it } from "vitest";
import { newStreamKey, openPart, openStreamKey, sealPart } from "#features/chat/stream-sealing";
import { systemContext } from "#test/support/harness";

describe("a sealed part of a stream", () => {
  it("opens with the key that lies beside it in its envelope", async () => {
    const ctx = systemContext();
    const { key, ...wrapped } = await newStreamKey(ctx, "stream_1");
    const part = await sealPart(ctx, key, { firstId: 3, count: 2, text: "data: ä\n\n" });
    expect(await openPart(await openStreamKey(ctx, "stream_1", wrapped), part)).toBe("data: ä\n\n");
    expect(Buffer.from(part.sealed).toString("latin1")).not.toContain("data");
    await expect(openStreamKey(ctx, "stream_2", wrapped)).rejects.toThrow("not-authentic");
    await expect(openStreamKey(ctx, "stream_1", { ...wrapped, masterVersion: 99 })).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  it("does not open at another place, in another stream, or when a bit of it was changed", async () => {
    const ctx = systemContext();
    const { key } = await newStreamKey(ctx, "stream_1");
    const part = await sealPart(ctx, key, { firstId: 3, count: 2, text: "data: 1\n\n" });
    const bent = part.sealed.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
    const { key: other } = await newStreamKey(ctx, "stream_1");
    await expect(openPart(key, { ...part, firstId: 4 })).rejects.toThrow();
    await expect(openPart(key, { ...part, count: 3 })).rejects.toThrow();
    await expect(openPart(key, { ...part, sealed: bent })).rejects.toThrow();
    await expect(openPart({ ...key, streamId: "stream_2" }, part)).rejects.toThrow();
    await expect(openPart(other, part)).rejects.toThrow();
    expect(await openPart(key, part)).toBe("data: 1\n\n");
  });
});
