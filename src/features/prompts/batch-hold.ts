/** The one reservation of a batch: a credit for each task that is left. */

/** As long as the ledger keeps a reservation. */
const holdMs = 3_600_000;

/** Named by the batch and how often it was settled, so that a repeated request or run finds the same one. */
export function creditHold(batchId: string, { settlements, credits }: { settlements: number; credits: number }) {
  return { reservationId: `${batchId}:credits-${settlements}`, amounts: { credits }, ttlMs: holdMs };
}
