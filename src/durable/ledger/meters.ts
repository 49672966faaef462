/** The words of metering: what is measured, over which span, for whom, and what callers and the ledger tell each other. No code that decides. */

/** The span after which a meter starts again at nothing: a usage month of the workspace or a day of UTC. */
export const metered = {
  aiTokens: { period: "month" },
  transcriptionSeconds: { period: "month" },
  processingMinutes: { period: "month" },
  apiCalls: { period: "month" },
  credits: { period: "day" },
  moneyMicroUsd: { period: "month" },
} as const satisfies Record<string, { period: "month" | "day" }>;

export type MeteredName = keyof typeof metered;
export const meteredNames = Object.keys(metered) as MeteredName[];

/** Everything is counted for the workspace; beside it for those of these that a request names. */
export interface Scopes {
  /** The person (a sub-user among them) who asked. */
  userId?: string;
  keyId?: string;
  model?: string;
}

export type ScopeKind = "workspace" | "user" | "key" | "model";
export type SpanKind = "day" | "month" | "total";

/** An amount of one meter, and the workspace's limit on it; null: none. */
export interface Line {
  meter: MeteredName;
  amount: number;
  limit: number | null;
}

/** A further limit, on what one of the request's scopes may use. `total` counts from the first request that names it. */
export interface Budget {
  meter: MeteredName;
  scope: Exclude<ScopeKind, "workspace">;
  limit: number;
  period: SpanKind;
}

export interface At {
  /** Tests move time with it; left out, the object's own clock counts. */
  nowMs?: number;
}

/** What is asked of all its meters and budgets at once: all or nothing. */
export interface Asking extends At {
  /** Names the work: one id is charged once, however often it is sent. */
  reservationId: string;
  meters: Line[];
  scopes?: Scopes;
  budgets?: Budget[];
  /** For the record of a settlement: it leaves with the amounts, as often as they do, and decides nothing. At most 64. */
  uses?: ModelUse[];
}

/** What requests of one kind to one provider came to. */
export interface ModelUse {
  /** Empty: nobody answered. */
  provider: string;
  /** What was asked for, such as `chat`. */
  operation: string;
  requests: number;
  errors: number;
  /** Requests whose tokens nobody counted for us. */
  estimated: number;
  /** Those that are charged; input and output together, where they are told apart. */
  tokens: number;
  inputTokens: number;
  /** Among the input. */
  cachedTokens: number;
  outputTokens: number;
  /** What was charged for them. */
  moneyMicroUsd: number;
}

/** Without the uses where nothing was tried. */
export interface Releasing extends At, Pick<Asking, "uses"> {
  reservationId: string;
}

export interface ReserveRequest extends Asking {
  /** After this time the reservation lapses and everything returns. At most an hour. */
  ttlMs: number;
}

/** One counter as it stands: of the workspace, or of one user, key or model. */
export interface MeterState {
  meter: MeteredName;
  scope: ScopeKind;
  scopeId: string;
  used: number;
  reserved: number;
  /** The limit that was last named; null: none. */
  limit: number | null;
  /** Granted on top, used after the limit, kept over the end of the period. */
  bonus: number;
  startMs: number;
  /** null: never. */
  endMs: number | null;
}

export interface Shortage extends MeterState {
  limit: number;
  needed: number;
  available: number;
}

export type Reserved =
  | { ok: true; state: "open" | "settled"; expiresAtMs: number; meters: MeterState[] }
  | { ok: false; short: Shortage[] };

/** One limit as a reservation would meet it now; `limit: null` with `available: null`: none. */
export interface Standing extends MeterState {
  available: number | null;
}

/** A reservation that its owner, not this product's own code, settles. */
export interface OutsideHold extends ReserveRequest {
  /** How many of the same kind (what stands before the first colon of their ids) may be open in the workspace. */
  openMax: number;
}

export type Held = Reserved | { ok: false; reason: "too-many" };

/** Ends an outside reservation; only the person who made it finds it. */
export interface Consuming extends Releasing {
  userId: string;
  meter: MeteredName;
  amount: number;
}

/** Why it cannot end so: nobody knows it, it lapsed, or it ended in the other way. */
export type NotOpen = { ok: false; reason: "unknown" | "expired" | "released" | "settled" };

/** `charged` is what was reserved and, for what is beyond it, what was left: never more. */
export type Consumed = { ok: true; repeated: boolean; charged: number; meters: MeterState[] } | NotOpen;
export type GivenBack = { ok: true; repeated: boolean; returned: number; meters: MeterState[] } | NotOpen;

/** `repeated`: the id was settled before and nothing changed. `released`: it was given back by its owner, and is not charged. */
export type Settled = { ok: true; repeated: boolean; meters: MeterState[] } | { ok: false; reason: "released" };

/** One amount that was used, as it leaves for the database. A correction of a block that was charged whole is negative. */
export interface UsageEvent {
  id: string;
  atMs: number;
  meter: MeteredName;
  amount: number;
  userId: string;
  keyId: string;
  model: string;
}

/** What was asked of models in one settlement, by whom and under which name. */
export interface UsesEvent extends Omit<UsageEvent, "meter" | "amount"> {
  uses: ModelUse[];
}

/** The first time in a period that a workspace's use reached this share of its limit, in percent. */
export interface QuotaNotice {
  meter: MeteredName | "storage";
  level: 80 | 100;
  used: number;
  limit: number;
  startMs: number;
  endMs: number | null;
  atMs: number;
}

/** What has to reach the database, in order; it is sent again until it is confirmed. */
export type Outgoing = { seq: number } & (
  | { kind: "event"; event: UsageEvent }
  | { kind: "uses"; event: UsesEvent }
  | { kind: "notice"; notice: QuotaNotice }
);

/** A block of API calls for one isolate: what it used of the last one, and how many it would like now. */
export interface BlockRequest extends At {
  previous: { id: string; used: number } | null;
  id: string;
  want: number;
  limit: number | null;
  scopes: Scopes;
}

export type Block = { granted: number; validForMs: number; short: Shortage | null };
