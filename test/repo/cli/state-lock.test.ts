/** One server a state folder. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { holdState, refuseSharedState, releaseState, StateInUseError } from "../../../src/cli/state-lock.ts";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "overtone-state-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function withListener(work: (url: string) => Promise<void>): Promise<void> {
  const listener = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  await work(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`).finally(() => listener.close());
}

describe("a state folder", () => {
  it("is refused while the server that holds it lives", async () => {
    await withListener(async (url) => {
      const folder = newFolder();
      holdState(folder, { pid: process.pid, url });
      await expect(refuseSharedState(folder)).rejects.toThrow(StateInUseError);
      releaseState(folder, process.pid + 1);
      await expect(refuseSharedState(folder)).rejects.toThrow(url);
      releaseState(folder, process.pid);
      await refuseSharedState(folder);
    });
  });

  it("is free when nobody holds it, and when its holder has died or no longer listens", async () => {
    const folder = newFolder();
    await expect(refuseSharedState(folder)).resolves.toBeUndefined();
    await withListener(async (url) => {
      holdState(folder, { pid: 2 ** 22 + 1, url });
      await expect(refuseSharedState(folder)).resolves.toBeUndefined();
      holdState(folder, { pid: process.pid, url: "http://127.0.0.1:1" });
      await expect(refuseSharedState(folder)).resolves.toBeUndefined();
    });
  });
});
