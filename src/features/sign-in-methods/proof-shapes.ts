/** What is sent and refused where a session alone is not enough. */
import * as z from "zod";
import { shape } from "#core/shape";

export const proofPassword = shape(() =>
  z.string().max(4_096).optional().meta({
    description: "The person's password. Left out by those who have none, within 10 minutes of a sign-in.",
  }),
);

export const proofBody = shape(() =>
  z
    .strictObject({ password: proofPassword() })
    .meta({ id: "RecentProof", example: { password: "correct horse battery staple" } }),
);

export const recentProofProblems = [
  "recent-proof-required",
  "password-wrong",
  "sign-in-locked",
  "hashing-busy",
] as const;
