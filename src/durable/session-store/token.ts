/**
 * The textual form of session and refresh tokens. It finds the object that can judge a token; it cannot judge one itself.
 *
 * `ovs_` or `ovr_`, the 26 characters of the user id, the 26 of the session id, then 43 of base64url: 256 random bits. All widths
 * are fixed, so there is exactly one spelling of a token and anything else is refused before an object is asked.
 */

export interface SessionToken {
  kind: "session" | "refresh";
  /** `usr_` and 26 characters: the name of the session store. */
  userId: string;
  sessionId: string;
  secret: string;
}

const prefixOf = { session: "ovs", refresh: "ovr" } as const;
const userIdPattern = /^usr_[0-9a-hjkmnp-tv-z]{26}$/;
const sessionIdPattern = /^ses_[0-9a-hjkmnp-tv-z]{26}$/;
// The last character carries four bits of the secret, so only every fourth letter can stand there.
const tokenPattern = /^ov([sr])_([0-9a-hjkmnp-tv-z]{26})([0-9a-hjkmnp-tv-z]{26})([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/;

/** Throws `TypeError` for ids of another form, which would make a token that cannot be read back. */
export function formatSessionToken(token: SessionToken): string {
  if (!userIdPattern.test(token.userId)) throw new TypeError("not a user id");
  if (!sessionIdPattern.test(token.sessionId)) throw new TypeError("not a session id");
  return `${prefixOf[token.kind]}_${token.userId.slice(4)}${token.sessionId.slice(4)}${token.secret}`;
}

/** null: not a session or refresh token. A result says only that the token is well-formed. */
export function parseSessionToken(text: string): SessionToken | null {
  const match = tokenPattern.exec(text);
  if (!match) return null;
  const [, letter, user = "", session = "", secret = ""] = match;
  return {
    kind: letter === "s" ? "session" : "refresh",
    userId: `usr_${user}`,
    sessionId: `ses_${session}`,
    secret,
  };
}
