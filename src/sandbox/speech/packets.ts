/** Hears containers of compressed sound: finds the runs of packets that are a sample's, and what is silent. Decodes nothing. */
import { type Packet, packetsOf } from "./containers.ts";
import type { Heard, Stretch } from "./heard.ts";
import { packetHash } from "./hashes.ts";
import { type Anchor, sampleTable } from "./table.ts";

/** Silence is coded in few bytes, or in many that are alike. */
const quietBytes = 24;
const quietVariety = 8;

interface Packets {
  hashes: number[];
  startsMs: number[];
  quiet: boolean[];
  endMs: number;
}

/** Null: this is no sound in any container that is known here. */
export async function hearPackets(bytes: Uint8Array<ArrayBuffer>): Promise<Heard | null> {
  const sound = await packetsOf(bytes);
  if (!sound) return null;
  const packets = summed(sound.packets);
  const known = sampleTable().get(sound.codec) ?? new Map<number, Anchor>();
  return { durationMs: packets.endMs, stretches: stretchesOf(packets, known) };
}

function summed(list: readonly Packet[]): Packets {
  return {
    hashes: list.map(({ data }) => packetHash(data)),
    startsMs: list.map(({ startMs }) => startMs),
    quiet: list.map(({ data }) => isQuiet(data)),
    endMs: list.reduce((latest, { endMs }) => Math.max(latest, endMs), 0),
  };
}

function isQuiet(data: Uint8Array): boolean {
  if (data.length < quietBytes) return true;
  const different = new Set<number>();
  for (const byte of data) {
    different.add(byte);
    if (different.size > quietVariety) return false;
  }
  return true;
}

interface Run extends Anchor {
  /** Of the packets heard; `to` is behind the last. */
  from: number;
  to: number;
}

function stretchesOf(packets: Packets, known: ReadonlyMap<number, Anchor>): Stretch[] {
  const { hashes, startsMs, endMs } = packets;
  const stretches: Stretch[] = [];
  let at = 0;
  let unknownFrom = 0;
  const timeOf = (place: number) => (place < startsMs.length ? (startsMs[place] ?? 0) : endMs);
  const addUnknown = (to: number) => {
    if (to > unknownFrom) stretches.push(...unknownStretches(packets, unknownFrom, to));
  };
  while (at < hashes.length) {
    const anchor = known.get(hashes[at] ?? 0);
    if (!anchor) {
      at += 1;
      continue;
    }
    const run = grown({ ...anchor, from: at, to: at + 1 }, { hashes, known, least: unknownFrom });
    addUnknown(run.from);
    stretches.push(knownStretch(run, timeOf));
    at = unknownFrom = run.to;
  }
  addUnknown(hashes.length);
  return stretches;
}

interface Around {
  hashes: readonly number[];
  known: ReadonlyMap<number, Anchor>;
  least: number;
}

/** To both sides as long as the packets are the sample's; another anchor on the way says that they are not. */
function grown(run: Run, { hashes, known, least }: Around): Run {
  const { track } = run;
  const isTracks = (place: number, index: number): boolean => {
    const hash = hashes[place];
    if (hash === undefined || index < 0 || index >= track.checks.length) return false;
    const anchor = known.get(hash);
    if (anchor) return anchor.track === track && anchor.index === index;
    return (hash & 0xff) === track.checks[index];
  };
  let { from, to, index } = run;
  while (isTracks(to, index + to - from)) to += 1;
  while (from > least && isTracks(from - 1, index - 1)) {
    from -= 1;
    index -= 1;
  }
  return { track, index, from, to };
}

function knownStretch({ track, index, from, to }: Run, timeOf: (place: number) => number): Stretch {
  const last = index + to - from;
  return {
    kind: "sample",
    fromMs: timeOf(from),
    toMs: timeOf(to),
    sampleFromMs: index * track.unitMs,
    sampleToMs: last * track.unitMs,
    words: track.words,
  };
}

/** Divided into what is silent and what is not. */
function unknownStretches({ startsMs, quiet, endMs }: Packets, from: number, to: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let place = from; place < to; place += 1) {
    const kind = quiet[place] === true ? "silence" : "other";
    const fromMs = startsMs[place] ?? 0;
    const toMs = startsMs[place + 1] ?? endMs;
    const last = stretches.at(-1);
    if (last?.kind === kind) last.toMs = toMs;
    else stretches.push({ kind, fromMs, toMs });
  }
  return stretches;
}
