/** The codes that every way to sign in with a password may answer with. */
export const signInProblems = [
  "sign-in-failed",
  "sign-in-locked",
  "second-factor-required",
  "second-factor-wrong",
  "second-factor-locked",
  "sign-in-ticket-invalid",
  "hashing-busy",
  "rate-limited",
  "server-owned-member",
] as const;
