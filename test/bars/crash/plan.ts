/** What the clients of a run will do, decided by the seed before it begins. */
import type { Chance, Sound } from "../random.ts";

export interface Counts {
  uploads: number;
  uploadMebibytes: { least: number; most: number };
  conversions: number;
  /** Of what is sealed beside the uploads. */
  smallBytes: { least: number; most: number };
  kills: number;
  /** When the lives end, in turn: at some moment, or in the turn in which a conversion is acknowledged. */
  killsAt: readonly ("promise" | "moment")[];
}

interface Common {
  /** Also its Idempotency-Key. */
  name: string;
  /** Index of the account. */
  person: number;
}

/** A large file in parts, straight to storage. */
export interface UploadWork extends Common {
  kind: "upload";
  sound: Sound;
  declaresHash: boolean;
}

export interface Sealing {
  format: 1 | 2;
  /** Format 1: with a key given in the request, or with an imported one. */
  givesKey: boolean;
  compress: boolean | "false";
  deleteSource: boolean;
}

/** Seal a small file that is uploaded for it, or sent as a form. */
export interface SealWork extends Common {
  kind: "seal";
  sound: Sound;
  how: "stored" | "form";
  sealing: Sealing;
}

/** Seal a large file that another client uploaded. */
export interface SealLargeWork extends Common {
  kind: "seal-large";
  sealing: Sealing;
}

/** Open what another client sealed. */
export interface OpenWork extends Common {
  kind: "open";
}

export type Work = UploadWork | SealWork | SealLargeWork | OpenWork;

const shares = { open: 0.2, sealLarge: 0.05, form: 0.3, formatOne: 0.3, deleteSource: 0.1, compressible: 0.5 };
const mebibyte = 1_048_576;

export function planWork(counts: Counts, people: number, chance: Chance): Work[] {
  const common = (name: string): Common => ({ name, person: chance.between(0, people - 1) });
  const sound = (least: number, most: number): Sound => ({
    seed: chance.between(0, 2 ** 31),
    // Samples have two bytes, and a RIFF chunk of odd length would need a pad byte.
    sizeBytes: chance.between(Math.ceil(least / 2), Math.floor(most / 2)) * 2,
    compressible: chance.next() < shares.compressible,
  });
  const uploads = Array.from({ length: counts.uploads }, (_, index): Work => {
    const { least, most } = counts.uploadMebibytes;
    return {
      ...common(`upload-${index}`),
      kind: "upload",
      sound: sound(least * mebibyte, most * mebibyte),
      declaresHash: chance.next() < 0.5,
    };
  });
  const large = Math.max(1, Math.round(counts.conversions * shares.sealLarge));
  const opens = Math.max(1, Math.round(counts.conversions * shares.open));
  const seals = Array.from({ length: counts.conversions - large - opens }, (_, index): Work => {
    const how = chance.next() < shares.form ? "form" : "stored";
    return {
      ...common(`seal-${index}`),
      kind: "seal",
      sound: sound(counts.smallBytes.least, counts.smallBytes.most),
      how,
      sealing: planSealing(chance),
    };
  });
  const others = [
    ...Array.from({ length: large }, (_, index): Work => ({
      ...common(`large-${index}`),
      kind: "seal-large",
      sealing: { ...planSealing(chance), deleteSource: false },
    })),
    ...Array.from({ length: opens }, (_, index): Work => ({ ...common(`open-${index}`), kind: "open" })),
  ];
  // Those that need another's result stand behind the first third, so that there is one to be had.
  const work = chance.shuffle([...uploads, ...seals]);
  const first = Math.ceil(work.length / 3);
  return [...work.slice(0, first), ...chance.shuffle([...work.slice(first), ...others])];
}

function planSealing(chance: Chance): Sealing {
  const format = chance.next() < shares.formatOne ? 1 : 2;
  return {
    format,
    givesKey: format === 1 && chance.next() < 0.5,
    compress: chance.pick([true, false, "false"] as const),
    deleteSource: chance.next() < shares.deleteSource,
  };
}
