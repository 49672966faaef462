/** The Durable Object classes that wrangler.toml binds; index.ts of the Worker re-exports them and nothing else imports this file. */
export { Gate } from "./gate/object.ts";
export { Hasher } from "./hasher/object.ts";
export { Ledger } from "./ledger/object.ts";
export { RateLimiter } from "./rate-limiter/object.ts";
export { SessionStore } from "./session-store/object.ts";
export { StreamBuffer } from "./stream-buffer/object.ts";
