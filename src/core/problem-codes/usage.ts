/** Codes of the ledger, quotas and credits. */
import type { ProblemKind } from "../problem-kind.ts";

export const usageProblems = {
  "quota-exceeded": {
    status: 429,
    title: "The quota is used up",
    suggestion: "See GET /v1/usage; wait for the next period or take a larger plan.",
  },
  "token-reservation-not-found": {
    status: 404,
    title: "There is no such reservation of tokens",
    suggestion: "Use the reservation_id that POST /v1/tokens/reserve answered; ended ones are known for two days.",
  },
  "token-reservation-expired": {
    status: 410,
    title: "The reservation of tokens has lapsed",
    suggestion: "Its tokens have returned. Reserve for longer, or consume without a reservation.",
  },
  "token-reservation-released": {
    status: 409,
    title: "The reservation of tokens was given back",
    suggestion: "Reserve again, or consume without a reservation.",
  },
  "token-reservation-consumed": {
    status: 409,
    title: "The reservation of tokens was consumed",
    suggestion: "Nothing of it is left to give back: what was not consumed has returned.",
  },
  "too-many-token-reservations": {
    status: 429,
    title: "Too many reservations of tokens are open",
    suggestion: "Consume or release those that you have, or let them lapse.",
  },
} as const satisfies Record<string, ProblemKind>;
