/**
 * The recordings and images that tests read. Inside workerd there is no file system, so Vite puts them into the test bundle
 * as data URLs.
 */
import briefing from "../fixtures/briefing.wav?inline";
import part1 from "../fixtures/echocipher-v1/briefing_part0001_of_0003.png?inline";
import part2 from "../fixtures/echocipher-v1/briefing_part0002_of_0003.png?inline";
import part3 from "../fixtures/echocipher-v1/briefing_part0003_of_0003.png?inline";

/** `briefing.wav`, 16 kHz mono speech. */
export function briefingWav(): Uint8Array<ArrayBuffer> {
  return fromDataUrl(briefing);
}

/** `briefing.wav` sealed in version 1 by another implementation: master key 00..1f, user `alice`, compressed. */
export function echocipherImages(): Uint8Array<ArrayBuffer>[] {
  return [part1, part2, part3].map(fromDataUrl);
}

function fromDataUrl(url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(url.slice(url.indexOf(",") + 1));
}
