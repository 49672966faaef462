/** What is refused when the Worker starts, before any secret of it is used. */
import { describe, expect, it } from "vitest";
import { EnvironmentError, readSettings } from "#core/env";
import { bindings } from "#test/support/harness";

const key = (version: number) =>
  `${version}:${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
const reading = (change: Record<string, string>) => () => readSettings({ ...bindings, ...change });

describe("the environment", () => {
  it("takes master keys up to the last version that an API key can name", () => {
    expect(
      reading({ MASTER_KEYS: [key(255), key(100), key(9)].join(",") })().masterKeys.map(({ version }) => version),
    ).toEqual([255, 100, 9]);
    for (const version of [0, 256, 300, 999, 1_000])
      expect(reading({ MASTER_KEYS: key(version) })).toThrow(EnvironmentError);
    const [one, again] = [key(1), key(1)];
    expect(reading({ MASTER_KEYS: `${one},${again}` })).toThrow("twice");
  });

  it("is refused by the names of what is wrong, never by their values", () => {
    const secret = key(1).slice(0, -2);
    const message = (() => {
      try {
        reading({ MASTER_KEYS: secret, PUBLIC_URL: "nowhere" })();
        return "";
      } catch (error) {
        return String(error);
      }
    })();
    expect(message).toMatch(/MASTER_KEYS.*PUBLIC_URL|PUBLIC_URL.*MASTER_KEYS/);
    expect(message).not.toContain(secret.slice(2, 12));
  });
});
