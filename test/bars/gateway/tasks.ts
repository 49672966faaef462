/** What a run asks for, all of it out of the seed: calls of every kind, what the provider does to each of them, and callers who leave. */
import type { Chance } from "../random.ts";

export const kinds = [
  "chat",
  "tools",
  "schema",
  "choices",
  "completion",
  "response",
  "embedding",
  "transcription",
  "speech",
  "image",
  "moderation",
  "prompt",
] as const;
export type Kind = (typeof kinds)[number];

/** Before anything of an answer has come. */
const startFaults = [
  "rate-limited",
  "error",
  "unavailable",
  "credentials",
  "refused",
  "no-headers",
  "drop",
  "empty",
  "page",
  "other-type",
] as const;
/** After some pieces of a stream, none of them at the earliest; in the middle of any other answer. */
const middleFaults = ["cut", "silence", "bad-json", "error-event", "end"] as const;
export type Fault = (typeof startFaults)[number] | (typeof middleFaults)[number];

export interface Act {
  fault: Fault;
  /** Pieces before it; of a stream, one more than there are is after the finish reason, two more after the use. */
  after: number;
}

export interface Usage {
  input: number;
  cached: number;
  output: number;
}

export interface Task {
  id: number;
  kind: Kind;
  isStream: boolean;
  /** The catalogue's name of it, under which its price is known. */
  base: string;
  model: string;
  /** Nobody else asks for this model: what it was charged can be told apart. */
  isAlone: boolean;
  /** A second provider is asked when the first one fails. */
  hasFallback: boolean;
  /** What the provider does the first time it is asked, the second time and so on; nothing bad after that. */
  acts: Act[];
  pieces: number;
  /** Between two pieces. */
  everyMs: number;
  /** All in one write. */
  isBurst: boolean;
  usage: Usage;
  tellsUsage: boolean;
  /** When the caller leaves: before an answer, after so many pieces, after the last piece and before the end. */
  leaves: { at: "start" } | { at: "piece"; count: number } | { at: "end" } | null;
  /** The phases that this call waits for, shortened: what the provider never sends is given up soon. */
  patience: Record<string, string>;
}

const streamed: ReadonlySet<Kind> = new Set(["chat", "tools", "schema", "choices", "completion", "response", "prompt"]);
const chatModels = ["gpt-4o-mini", "gpt-4.1-nano", "gpt-4o"];
const baseOf: Partial<Record<Kind, string>> = {
  completion: "gpt-3.5-turbo",
  embedding: "text-embedding-3-small",
  transcription: "whisper-1",
  speech: "tts-1",
  image: "gpt-image-1-mini",
  moderation: "omni-moderation-latest",
  prompt: "gpt-4o-mini",
};
/** How often each is asked for. */
const mix: readonly (readonly [Kind, number])[] = [
  ["chat", 34],
  ["tools", 8],
  ["schema", 8],
  ["choices", 6],
  ["completion", 8],
  ["response", 12],
  ["embedding", 6],
  ["transcription", 4],
  ["speech", 4],
  ["image", 3],
  ["moderation", 3],
  ["prompt", 4],
];
const drawn = mix.flatMap(([kind, count]) => Array.from({ length: count }, () => kind));

/** `X-Overtone-Timeout-Ms` and its kin, for calls that meet a provider which says nothing. */
const shortened = { "x-overtone-first-byte-timeout-ms": "1500", "x-overtone-idle-timeout-ms": "1500" };

/** Ids of models that have a fallback begin with 9, see `fallbackPattern`; a date of eight figures is taken for one by the catalogue. */
export const fallbackPattern = "*-9*";

function modelOf(base: string, { id, hasFallback }: { id: number; hasFallback: boolean }): string {
  return `${base}-${hasFallback ? 9 : 0}${String(id).padStart(7, "0")}`;
}

export function planTask(chance: Chance, id: number): Task {
  const kind = chance.pick(drawn);
  const isStream = streamed.has(kind) && chance.next() < 0.65;
  const base = baseOf[kind] ?? chance.pick(chatModels);
  const isAlone = kind !== "prompt" && chance.next() < 0.75;
  const hasFallback = isAlone && chance.next() < 0.35;
  const pieces = chance.between(3, 24);
  const leaves = isAlone && chance.next() < 0.22 ? leavingOf(chance, { kind, isStream, pieces }) : null;
  const acts = isAlone && chance.next() < (leaves ? 0.2 : 0.6) ? actsOf(chance, { kind, isStream, pieces }) : [];
  const input = chance.between(5, 30);
  const usage = {
    input,
    cached: chance.next() < 0.3 ? chance.between(1, input) : 0,
    output: pieces + chance.between(0, 5),
  };
  return {
    id,
    kind,
    isStream,
    base,
    model: isAlone ? modelOf(base, { id, hasFallback }) : base,
    isAlone,
    hasFallback,
    acts,
    pieces,
    everyMs: chance.next() < 0.15 ? 40 : chance.between(0, 8),
    isBurst: isStream && leaves === null && chance.next() < 0.2,
    usage,
    tellsUsage: kind !== "moderation" && !(isAlone && chance.next() < 0.06),
    leaves,
    patience: patienceOf(acts, isStream),
  };
}

/** Nothing but a stream, which its caller leaves, that goes on for longer than anybody reads it to its end. */
export function planEndless(chance: Chance, id: number): Task {
  const base = chance.pick(chatModels);
  return {
    ...planHealthy(chance, { id, base, isStream: true }),
    pieces: 150,
    everyMs: 400,
    leaves: { at: "piece", count: chance.between(1, 3) },
  };
}

/** A stream that breaks off in its middle, where another provider could be asked. */
export function planBroken(chance: Chance, id: number): Task {
  const base = chance.pick(chatModels);
  const healthy = planHealthy(chance, { id, base, isStream: true });
  const acts: Act[] = [{ fault: "cut", after: chance.between(1, healthy.pieces - 1) }];
  return { ...healthy, hasFallback: true, model: modelOf(base, { id, hasFallback: true }), acts };
}

export function planHealthy(chance: Chance, about: { id: number; base: string; isStream: boolean }): Task {
  const { id, base, isStream } = about;
  const pieces = chance.between(3, 24);
  return {
    id,
    kind: "chat",
    isStream,
    base,
    model: modelOf(base, { id, hasFallback: false }),
    isAlone: true,
    hasFallback: false,
    acts: [],
    pieces,
    everyMs: chance.between(0, 30),
    isBurst: false,
    usage: { input: chance.between(5, 30), cached: 0, output: pieces + chance.between(0, 5) },
    tellsUsage: true,
    leaves: null,
    patience: {},
  };
}

type Shape = Pick<Task, "kind" | "isStream" | "pieces">;

function leavingOf(chance: Chance, { kind, isStream, pieces }: Shape): Task["leaves"] {
  if (!isStream && kind !== "speech") return { at: "start" };
  const at = chance.pick(["start", "piece", "piece", "end"] as const);
  return at === "piece" ? { at, count: chance.between(1, pieces - 1) } : { at };
}

function actsOf(chance: Chance, shape: Shape): Act[] {
  const most = chance.next() < 0.3 ? 6 : chance.pick([1, 1, 1, 2]);
  return Array.from({ length: most }, () => actOf(chance, shape));
}

function actOf(chance: Chance, { kind, isStream, pieces }: Shape): Act {
  if (chance.next() < 0.55) return { fault: chance.pick(startFaults), after: 0 };
  if (!isStream && kind !== "speech") return { fault: chance.pick(middleFaults), after: 0 };
  // What sound comes to an end too early in good order, nobody can tell.
  const fault = kind === "speech" ? chance.pick(["cut", "silence"] as const) : chance.pick(middleFaults);
  // Nothing is missing of a response after its last event, nor of sound after its last byte.
  const beyond = kind === "speech" ? -1 : kind === "response" || fault === "end" ? 0 : 2;
  const after =
    chance.next() < 0.3
      ? 0
      : chance.next() < 0.25
        ? pieces + chance.between(0, Math.max(beyond, 0))
        : chance.between(1, pieces - 1);
  return { fault, after: Math.min(after, pieces + beyond) };
}

function patienceOf(acts: readonly Act[], isStream: boolean): Record<string, string> {
  if (!acts.some(({ fault }) => fault === "no-headers" || fault === "silence")) return {};
  // Only the time of the whole call ends an answer that stops in its middle.
  const isHeld = !isStream && acts.some(({ fault }) => fault === "silence");
  return { ...shortened, ...(isHeld ? { "x-overtone-timeout-ms": "2500" } : {}) };
}
