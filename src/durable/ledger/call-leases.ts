/**
 * Counts API calls out of blocks that the ledger leased to this isolate, so that a request rarely asks it. The ledger charges a block whole
 * until it is told what was used of it: an isolate that vanishes costs calls and never gives any away.
 */
import { objectNamed } from "../stub.ts";
import type { Shortage } from "./meters.ts";
import type { Ledger } from "./object.ts";

export interface ApiCall {
  workspaceId: string;
  keyId: string;
  userId: string;
  /** Of the workspace in a usage month; null: none. */
  limit: number | null;
}

interface Lease {
  id: string;
  userId: string;
  limit: number | null;
  size: number;
  held: number;
  used: number;
  validUntilMs: number;
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
const largestBlock = 64;
const refusalMs = 1_000;

export interface TakeCallOptions {
  nowMs: number;
  newId(): string;
  /** The blocks to use instead of this isolate's own. */
  state?: CallLeases;
  objectNowMs?: number;
}

/** Takes one call; null when it was there, else what is short. Throws when the ledger cannot be reached and nothing is held. */
export async function takeApiCall(
  ledgers: DurableObjectNamespace<Ledger>,
  call: ApiCall,
  options: TakeCallOptions,
): Promise<Shortage | null> {
  const { nowMs, state = isolateLeases } = options;
  const key = `${call.workspaceId} ${call.keyId}`;
  const lease = state.leases.get(key);
  const isCurrent = lease !== undefined && lease.limit === call.limit && nowMs < lease.validUntilMs;
  if (isCurrent && lease.held > 0) {
    lease.held -= 1;
    lease.used += 1;
    return null;
  }
  if (lease?.refused && lease.limit === call.limit && nowMs < lease.refused.untilMs) return lease.refused.short;
  return fetchBlock(ledgers, call, { ...options, state, key });
}

async function fetchBlock(
  ledgers: DurableObjectNamespace<Ledger>,
  call: ApiCall,
  options: TakeCallOptions & { state: CallLeases; key: string },
): Promise<Shortage | null> {
  const { nowMs, state, key } = options;
  const last = state.leases.get(key);
  // Taken out before the call: another request of this isolate must not use, and report, the same block.
  state.leases.delete(key);
  const inHurry = last !== undefined && nowMs - last.askedAtMs < hurryMs;
  const want = inHurry ? Math.min(Math.max(last.size, 1) * growth, largestBlock) : 1;
  const id = `calls:${options.newId()}`;
  const block = await objectNamed(ledgers, call.workspaceId, {}).exchangeBlock({
    previous: reportOf(last),
    id,
    want,
    limit: call.limit,
    scopes: { userId: call.userId, keyId: call.keyId },
    ...(options.objectNowMs === undefined ? {} : { nowMs: options.objectNowMs }),
  });
  const isGranted = block.granted > 0;
  const fresh: Lease = {
    id,
    userId: call.userId,
    limit: call.limit,
    size: block.granted,
    held: isGranted ? block.granted - 1 : 0,
    used: isGranted ? 1 : 0,
    validUntilMs: nowMs + block.validForMs,
    askedAtMs: nowMs,
    refused: block.short ? { short: block.short, untilMs: nowMs + refusalMs } : null,
  };
  const meanwhile = state.leases.get(key);
  // Two requests fetched at once: the second one asked for one call only, which is charged and needs no report.
  if (!meanwhile || fresh.held >= meanwhile.held) keep(state, key, fresh);
  return isGranted ? null : block.short;
}

/** A block of one was charged when it was granted. */
function reportOf(lease: Lease | undefined): { id: string; used: number } | null {
  return lease && lease.size > 1 ? { id: lease.id, used: lease.used } : null;
}

/** Reports what this isolate used of a workspace's blocks and gives back the rest, so that the counters are exact for somebody who looks. */
export async function handBackCalls(
  ledgers: DurableObjectNamespace<Ledger>,
  request: { workspaceId: string; limit: number | null; nowMs?: number },
  state: CallLeases = isolateLeases,
): Promise<void> {
  const { workspaceId, limit, nowMs } = request;
  for (const [key, lease] of state.leases) {
    const previous = key.startsWith(`${workspaceId} `) ? reportOf(lease) : null;
    if (!previous) continue;
    state.leases.delete(key);
    const scopes = { keyId: key.slice(workspaceId.length + 1), userId: lease.userId };
    const report = { previous, id: previous.id, want: 0, limit, scopes, ...(nowMs === undefined ? {} : { nowMs }) };
    await objectNamed(ledgers, workspaceId, {}).exchangeBlock(report);
  }
}
