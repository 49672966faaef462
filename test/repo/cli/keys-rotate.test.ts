/** The rotation command: the new text of MASTER_KEYS, what it watches, and what it refuses before it touches anything. */
import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { followRotation, type Watch } from "../../../src/cli/follow-rotation.ts";
import { addMasterKey } from "../../../src/cli/master-keys.ts";

const entry = (version: number) => `${version}:${randomBytes(32).toString("base64")}`;

describe("the new value", () => {
  it("puts the next version in front and keeps every older one", () => {
    const [second, first] = [entry(2), entry(1)];
    const raw = randomBytes(32);
    expect(addMasterKey(` ${second} , ${first}`, raw)).toEqual({
      version: 3,
      text: `3:${raw.toString("base64")},${second},${first}`,
    });
  });

  it("counts on from the highest version, not from the first", () => {
    expect(addMasterKey(`${entry(1)},${entry(7)}`, randomBytes(32)).version).toBe(8);
  });

  it("refuses a value it does not understand without repeating any of it", () => {
    const secret = randomBytes(31).toString("base64");
    for (const text of [
      "",
      `1:${secret}`,
      `${entry(1)},${entry(1)}`,
      entry(255),
      Array.from({ length: 20 }, (_, index) => entry(index + 1)).join(","),
    ]) {
      expect(() => addMasterKey(text, randomBytes(32))).toThrow(/^(?!.*=).+$/);
    }
  });
});

/** Plays a server: each call of the status page takes the next state, and time passes by waiting only. */
function play(states: ({ currentVersion: number; staleKeys: number } | null)[]) {
  const printed: string[] = [];
  const ticks: string[] = [];
  let asked = 0;
  let nowMs = 0;
  const watch: Watch = {
    async fetch(url) {
      if (url.includes("scheduled")) {
        ticks.push(url);
        return new Response("ok");
      }
      const state = states[Math.min(asked, states.length - 1)] ?? null;
      asked += 1;
      if (!state) throw new TypeError("refused");
      return Response.json({ status: "ok", encryption: state });
    },
    async wait(ms) {
      nowMs += ms;
    },
    now: () => nowMs,
    print: (line) => printed.push(line),
  };
  return { watch, printed, ticks };
}

const rotation = { publicUrl: "http://127.0.0.1:1", version: 2, startsTick: true, everyMs: 1_000, patienceMs: 30_000 };

describe("following", () => {
  it("waits for the reload, starts the tick, shows progress and ends at zero", async () => {
    const { watch, printed, ticks } = play([
      { currentVersion: 1, staleKeys: 0 },
      null,
      { currentVersion: 2, staleKeys: 70 },
      { currentVersion: 2, staleKeys: 20 },
      { currentVersion: 2, staleKeys: 0 },
    ]);
    expect(await followRotation(watch, rotation)).toBe("done");
    expect(ticks).toEqual(["http://127.0.0.1:1/cdn-cgi/local/scheduled?cron=17+*+*+*+*"]);
    expect(printed.slice(2)).toEqual([
      "70 keys to wrap by the new master key.",
      "20 keys to wrap by the new master key.",
      "Every key is wrapped by the new master key.",
    ]);
  });

  it("does not take zero stale keys of the old version for the end", async () => {
    const { watch, ticks } = play([{ currentVersion: 1, staleKeys: 0 }]);
    expect(await followRotation(watch, rotation)).toBe("not-arrived");
    expect(ticks).toEqual([]);
  });

  it("gives up without news, after starting the tick more than once", async () => {
    const { watch, ticks } = play([{ currentVersion: 2, staleKeys: 3 }]);
    expect(await followRotation(watch, rotation)).toBe("stale-keys-left");
    expect(ticks.length).toBeGreaterThan(1);
    expect(await followRotation(play([null]).watch, rotation)).toBe("no-answer");
  });

  it("never starts a tick of a deployed Worker", async () => {
    const { watch, ticks } = play([{ currentVersion: 2, staleKeys: 3 }]);
    await followRotation(watch, { ...rotation, startsTick: false });
    expect(ticks).toEqual([]);
  });
});

describe("npm run keys:rotate -- --remote", () => {
  const run = (args: string[], env: Record<string, string>) => {
    const { PATH = "" } = process.env;
    const { status, stderr, stdout } = spawnSync(process.execPath, ["src/cli/keys-rotate.ts", "--remote", ...args], {
      env: { PATH, ...env },
      encoding: "utf8",
    });
    return { status, text: stdout + stderr };
  };

  it("needs the value in force, the address, and a place for the new value", () => {
    const key = entry(1);
    const out = join(mkdtempSync(join(tmpdir(), "keys-")), "new");
    for (const [args, env, word] of [
      [["--out", out], { PUBLIC_URL: "http://127.0.0.1:1" }, "MASTER_KEYS"],
      [["--out", out], { MASTER_KEYS: key }, "PUBLIC_URL"],
      [[], { MASTER_KEYS: key, PUBLIC_URL: "http://127.0.0.1:1" }, "--out"],
    ] as const) {
      const { status, text } = run([...args], env);
      expect(status).toBe(1);
      expect(text).toContain(word);
      expect(text).not.toContain(key.slice(2));
    }
    expect(existsSync(out)).toBe(false);
  });

  it("refuses a value that is not the one in force, before anything is written", async () => {
    const server = createServer((_, response) =>
      response.end(JSON.stringify({ encryption: { currentVersion: 5, staleKeys: 0 } })),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const out = join(mkdtempSync(join(tmpdir(), "keys-")), "new");
    const key = entry(1);
    const answer = await new Promise<{ status: number | null; text: string }>((resolve) => {
      // Not spawnSync: the server lives in this very process and has to answer meanwhile.
      const env = { PATH: process.env["PATH"] ?? "", MASTER_KEYS: key, PUBLIC_URL: `http://127.0.0.1:${port}` };
      const args = ["src/cli/keys-rotate.ts", "--remote", "--out", out];
      const child = execFile(process.execPath, args, { env }, (_, stdout, stderr) =>
        resolve({ status: child.exitCode, text: stdout + stderr }),
      );
    });
    server.close();
    expect(answer.status).toBe(1);
    expect(answer.text).toContain("version 5");
    expect(answer.text).not.toContain(key.slice(2));
    expect(existsSync(out)).toBe(false);
  });
});
