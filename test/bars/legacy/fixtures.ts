/** What an older client has on its disk: a recording, and the images that EchoCipher itself would have made of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../fixtures", import.meta.url));
const sealedFolder = join(folder, "echocipher-v1");

/** Public test key: the bytes 0 to 31. */
export const masterKeyHex = Array.from({ length: 32 }, (_, index) => index.toString(16).padStart(2, "0")).join("");
export const userName = "alice";

export interface Picture {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export function readRecording(): Buffer<ArrayBuffer> {
  return Buffer.from(new Uint8Array(readFileSync(join(folder, "briefing.wav"))));
}

export function readSealed(): Picture[] {
  const names = readdirSync(sealedFolder)
    .filter((name) => name.endsWith(".png"))
    .toSorted();
  return names.map((name) => ({ name, bytes: new Uint8Array(readFileSync(join(sealedFolder, name))) }));
}
