/**
 * Hashes and verifies passwords one at a time, so that nothing on this thread waits behind more than one hash.
 * It stores nothing, and refuses work instead of queueing without end.
 */
import { DurableObject } from "cloudflare:workers";
import { hashPassword, isTooLong, matchesPassword } from "./engine.ts";
import { currentProfile, isOutdated, isTooCostly, parsePhc } from "./phc.ts";

/** `busy`: more than `maxWaiting` hashes wait; answer 503. `too-long`: over 1024 bytes of UTF-8. */
export type HashRefusal = { ok: false; reason: "busy"; waiting: number } | { ok: false; reason: "too-long" };
export type HashOutcome = { ok: true; phc: string } | HashRefusal;

/** `unsupported`: no string of argon2id, scrypt or bcrypt. `too-costly`: over 20 MiB, over 80 MiB times passes, or bcrypt above cost 12. */
export type VerifyOutcome =
  | { ok: true; matches: boolean; needsUpgrade: boolean }
  | { ok: false; reason: "unsupported" | "too-costly" }
  | HashRefusal;

/** 50 hashes are between one and two seconds; whoever comes later is better told to come back. */
export const maxWaiting = 50;
/**
 * The rest after each hash. A hash holds the thread, and another request needs several turns of it (its own code, objects, the
 * database), each of which could land behind the next hash. With no rest such requests waited behind three hashes; with this one,
 * measured on the development server too, behind one. It costs a quarter of the throughput and delays no single sign-in.
 */
const restMs = 8;
/** While the thread is behind with its work, a short timer comes late; then the next hash can wait a little, but not without end. */
const lateMs = 4;
const maxRests = 12;

export class Hasher extends DurableObject {
  readonly #waiting: Array<() => Promise<void>> = [];
  #isDraining = false;

  /** Makes a PHC string of the current profile with a random salt. */
  async hash(password: string): Promise<HashOutcome> {
    const refusal = this.#refusal(password);
    if (refusal) return refusal;
    const salt = crypto.getRandomValues(new Uint8Array(currentProfile.saltBytes));
    return { ok: true, phc: await this.#inTurn(() => hashPassword(password, salt)) };
  }

  /** `needsUpgrade` says that a matching password should be hashed anew; it does not depend on the password. */
  async verify(password: string, phc: string): Promise<VerifyOutcome> {
    const expected = parsePhc(phc);
    if (!expected) return { ok: false, reason: "unsupported" };
    if (isTooCostly(expected)) return { ok: false, reason: "too-costly" };
    const refusal = this.#refusal(password);
    if (refusal) return refusal;
    const matches = await this.#inTurn(() => matchesPassword(password, expected));
    return { ok: true, matches, needsUpgrade: isOutdated(expected) };
  }

  #refusal(password: string): HashRefusal | null {
    if (isTooLong(password)) return { ok: false, reason: "too-long" };
    if (this.#waiting.length < maxWaiting) return null;
    return { ok: false, reason: "busy", waiting: this.#waiting.length };
  }

  #inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push(async () => {
      try {
        resolve(await work());
      } catch (error) {
        reject(error);
      }
    });
    if (!this.#isDraining) this.ctx.waitUntil(this.#drain());
    return promise;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    await scheduler.wait(0);
    while (this.#waiting.length > 0) {
      await this.#waiting.shift()?.();
      await this.#rest();
    }
    this.#isDraining = false;
  }

  async #rest(): Promise<void> {
    for (let rests = 0; rests < maxRests; rests += 1) {
      const startedAtMs = Date.now();
      await scheduler.wait(restMs);
      if (Date.now() - startedAtMs <= restMs + lateMs) return;
    }
  }
}
