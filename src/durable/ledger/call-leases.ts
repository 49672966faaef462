/**
 * Counts API calls out of blocks that the ledger leased to this isolate, so that a request rarely asks it. The ledger charges a block whole
 * until it is told what was used of it: an isolate that vanishes costs calls and never gives any away. A busy isolate fetches the next block
 * before the last one is used up, so that no request waits for it.
 */
import { objectNamed } from "../stub.ts";
import type { Block as Granted, Shortage } from "./meters.ts";
import type { Ledger } from "./object.ts";

export interface ApiCall {
  workspaceId: string;
  keyId: string;
  userId: string;
  /** Of the workspace in a usage month; null: none. */
  limit: number | null;
}

interface Block {
  id: string;
  size: number;
  held: number;
  validUntilMs: number;
}

interface Lease {
  userId: string;
  limit: number | null;
  block: Block;
  /** Fetched ahead, for when the block is used up. */
  spare: Block | null;
  /** Used up, and not told yet. */
  spent: Block | null;
  /** Until then nothing is fetched ahead: it is under way, or was refused. */
  aheadFromMs: number;
  askedAtMs: number;
  /** The last refusal, told again for a moment instead of asked for again. */
  refused: { short: Shortage; untilMs: number } | null;
}

export interface CallLeases {
  leases: Map<string, Lease>;
}

export function createCallLeases(): CallLeases {
  return { leases: new Map() };
}

const maxLeases = 5_000;

/** What is dropped here was charged whole already. */
function keep({ leases }: CallLeases, key: string, lease: Lease): void {
  leases.set(key, lease);
  const oldest = leases.size > maxLeases ? leases.keys().next() : null;
  if (oldest && !oldest.done) leases.delete(oldest.value);
}

const isolateLeases = createCallLeases();
/** A caller who is back this soon gets a larger block. */
const hurryMs = 5_000;
const growth = 4;
const largestBlock = 1_024;
const refusalMs = 1_000;
/** A smaller block is used up before the next one could be here. */
const worthFetchingAhead = 16;
/** A call that has not come back after this long was lost with its request. */
const callPatienceMs = 1_000;

export interface TakeCallOptions {
  nowMs: number;
  newId(): string;
  /** Keeps work going behind the answer. */
  later(work: Promise<unknown>): void;
  /** The blocks to use instead of this isolate's own. */
  state?: CallLeases;
  objectNowMs?: number;
}

type Fetching = TakeCallOptions & { ledgers: DurableObjectNamespace<Ledger>; state: CallLeases; key: string };

/** Takes one call; null when it was there, else what is short. Throws when the ledger cannot be reached and nothing is held. */
export async function takeApiCall(
  ledgers: DurableObjectNamespace<Ledger>,
  call: ApiCall,
  options: TakeCallOptions,
): Promise<Shortage | null> {
  const { nowMs, state = isolateLeases } = options;
  const key = `${call.workspaceId} ${call.keyId}`;
  const lease = state.leases.get(key);
  const fetching = { ...options, ledgers, state, key };
  if (!lease || lease.limit !== call.limit) return fetchBlock(call, fetching);
  if (lease.block.held === 0) takeUpSpare(call, lease, fetching);
  const { block, refused } = lease;
  if (block.held > 0 && nowMs < block.validUntilMs) {
    block.held -= 1;
    if (isLow(lease, nowMs)) options.later(fetchAhead(call, lease, fetching));
    return null;
  }
  if (refused && nowMs < refused.untilMs) return refused.short;
  return nowMs < lease.aheadFromMs ? fetchOne(call, fetching) : fetchBlock(call, fetching);
}

function takeUpSpare(call: ApiCall, lease: Lease, fetching: Fetching): void {
  if (!lease.spare) return;
  if (lease.spent) fetching.later(report(call, lease.spent, fetching));
  lease.spent = lease.block;
  lease.block = lease.spare;
  lease.spare = null;
}

/** The next block is on its way, but not here yet. */
async function fetchOne(call: ApiCall, fetching: Fetching): Promise<Shortage | null> {
  return (await exchange(call, fetching, { previous: null, want: 1 })).short;
}

function isLow({ block, spare, aheadFromMs, askedAtMs }: Lease, nowMs: number): boolean {
  if (spare || nowMs < aheadFromMs || nowMs - askedAtMs >= hurryMs) return false;
  return block.size >= worthFetchingAhead && block.held <= block.size / 4;
}

async function fetchAhead(call: ApiCall, lease: Lease, fetching: Fetching): Promise<void> {
  const { nowMs, state, key } = fetching;
  lease.aheadFromMs = nowMs + callPatienceMs;
  lease.askedAtMs = nowMs;
  const previous = lease.spent ? reportOf(lease.spent) : null;
  lease.spent = null;
  const { block } = await exchange(call, fetching, { previous, want: nextSize(lease.block) });
  if (block.size === 0) return;
  const isKept = state.leases.get(key) === lease && !lease.spare;
  // Somebody handed the rest back, or waited too long for this one.
  if (!isKept) return report(call, block, fetching);
  lease.spare = block;
  lease.aheadFromMs = 0;
}

function nextSize({ size }: Block): number {
  return Math.min(Math.max(size, 1) * growth, largestBlock);
}

async function fetchBlock(call: ApiCall, fetching: Fetching): Promise<Shortage | null> {
  const { nowMs, state, key } = fetching;
  const last = state.leases.get(key);
  // Taken out before the call: another request of this isolate must not use, and report, the same block.
  state.leases.delete(key);
  for (const block of [last?.spare, last?.spent]) if (block) fetching.later(report(call, block, fetching));
  const asked = { previous: last ? reportOf(last.block) : null, want: last ? wishAfter(last, nowMs) : 1 };
  const { block, short } = await exchange(call, fetching, asked);
  const isGranted = block.size > 0;
  if (isGranted) block.held -= 1;
  keepLargest(call, leaseOf(call, { block, short, nowMs }), fetching);
  return isGranted ? null : short;
}

/** Several requests fetched at once: the largest rest is kept, and what the others hold goes back. */
function keepLargest(call: ApiCall, fetched: Lease, fetching: Fetching): void {
  const { state, key, later } = fetching;
  const meanwhile = state.leases.get(key);
  const isKept = !meanwhile || fetched.block.held >= meanwhile.block.held;
  if (isKept) keep(state, key, fetched);
  const dropped = isKept ? meanwhile : fetched;
  for (const rest of dropped ? [dropped.block, dropped.spare, dropped.spent] : [])
    if (rest) later(report(call, rest, fetching));
}

function wishAfter({ block, askedAtMs }: Lease, nowMs: number): number {
  return nowMs - askedAtMs < hurryMs ? nextSize(block) : 1;
}

function leaseOf(
  { userId, limit }: ApiCall,
  { block, short, nowMs }: { block: Block; short: Shortage | null; nowMs: number },
): Lease {
  const refused = short ? { short, untilMs: nowMs + refusalMs } : null;
  return { userId, limit, block, spare: null, spent: null, aheadFromMs: 0, askedAtMs: nowMs, refused };
}

async function exchange(
  call: ApiCall,
  { ledgers, nowMs, newId, objectNowMs }: Fetching,
  { previous, want }: { previous: { id: string; used: number } | null; want: number },
): Promise<{ block: Block; short: Shortage | null }> {
  const id = `calls:${newId()}`;
  const { workspaceId, userId, keyId, limit } = call;
  const granted: Granted = await objectNamed(ledgers, workspaceId, {}).exchangeBlock({
    previous,
    id,
    want,
    limit,
    scopes: { userId, keyId },
    ...(objectNowMs === undefined ? {} : { nowMs: objectNowMs }),
  });
  const size = granted.granted;
  return { block: { id, size, held: size, validUntilMs: nowMs + granted.validForMs }, short: granted.short };
}

/** A block of one was charged when it was granted. */
function reportOf({ id, size, held }: Block): { id: string; used: number } | null {
  return size > 1 ? { id, used: size - held } : null;
}

async function report(call: ApiCall, block: Block, fetching: Fetching): Promise<void> {
  const previous = reportOf(block);
  if (previous) await exchange(call, fetching, { previous, want: 0 });
}

/** Reports what this isolate used of a workspace's blocks and gives back the rest, so that the counters are exact for somebody who looks. */
export async function handBackCalls(
  ledgers: DurableObjectNamespace<Ledger>,
  request: { workspaceId: string; limit: number | null; nowMs?: number },
  state: CallLeases = isolateLeases,
): Promise<void> {
  const { workspaceId, limit, nowMs } = request;
  for (const [key, { block, spare, spent, userId }] of state.leases) {
    if (!key.startsWith(`${workspaceId} `)) continue;
    const reports = [block, spare, spent].flatMap((one) => (one ? (reportOf(one) ?? []) : []));
    if (reports.length === 0) continue;
    state.leases.delete(key);
    const scopes = { keyId: key.slice(workspaceId.length + 1), userId };
    for (const previous of reports) {
      const told = { previous, id: previous.id, want: 0, limit, scopes, ...(nowMs === undefined ? {} : { nowMs }) };
      await objectNamed(ledgers, workspaceId, {}).exchangeBlock(told);
    }
  }
}
