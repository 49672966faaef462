/** The rotation command: the new text of MASTER_KEYS, what it watches, and what it refuses before it touches anything. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
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

interface Deployment {
  /** What the status page says, before and after the secret was put. */
  before: number;
  after: number;
  wranglerExit?: number;
}

/** Runs the command from a copy of its folder, with a wrangler that keeps what it is given, against a server that plays the Worker. */
async function rotateRemote(deployment: Deployment, options: { args: string[]; keys: string | null }) {
  const root = mkdtempSync(join(tmpdir(), "keys-rotate-"));
  cpSync("src/cli", join(root, "src/cli"), { recursive: true });
  writeFileSync(join(root, "package.json"), JSON.stringify({ type: "module" }));
  const wrangler = join(root, "node_modules/wrangler/bin");
  mkdirSync(wrangler, { recursive: true });
  const given = join(root, "given.json");
  const fake = `import { readFileSync, writeFileSync } from "node:fs";
    writeFileSync(${JSON.stringify(given)}, JSON.stringify({ input: readFileSync(0, "utf8"), args: process.argv.slice(2), env: process.env.MASTER_KEYS ?? null }));
    process.exit(${deployment.wranglerExit ?? 0});`;
  writeFileSync(join(wrangler, "wrangler.js"), fake);
  const server = createServer((_, response) => {
    const currentVersion = existsSync(given) ? deployment.after : deployment.before;
    response.end(JSON.stringify({ encryption: { currentVersion, staleKeys: 0 } }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const out = join(root, "new-value");
  const env = {
    PATH: process.env["PATH"] ?? "",
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    ...(options.keys === null ? {} : { MASTER_KEYS: options.keys }),
  };
  const args = [
    join(root, "src/cli/keys-rotate.ts"),
    "--remote",
    ...options.args.map((arg) => (arg === "OUT" ? out : arg)),
  ];
  // Not spawnSync: the server lives in this very process and has to answer meanwhile.
  const { status, text } = await new Promise<{ status: number | null; text: string }>((resolve) => {
    const child = execFile(process.execPath, args, { env }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode, text: stdout + stderr }),
    );
  });
  server.close();
  const read = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : null);
  const put = JSON.parse(read(given) ?? "null") as { input: string; args: string[]; env: string | null } | null;
  return { status, text, put, kept: read(out), mode: existsSync(out) ? statSync(out).mode & 0o777 : null };
}

/** The secret bytes of a value: what no output may hold. */
const secretsOf = (keys: string) => keys.split(",").map((key) => key.slice(key.indexOf(":") + 1));

describe("npm run keys:rotate -- --remote", () => {
  it("keeps the new value in a file of its owner, hands it to wrangler by standard input, and prints none of it", async () => {
    const keys = `${entry(4)},${entry(3)}`;
    const { status, text, put, kept, mode } = await rotateRemote(
      { before: 4, after: 5 },
      { args: ["--out", "OUT"], keys },
    );
    expect(text).toContain("Every key is wrapped by the new master key.");
    expect(status).toBe(0);
    expect(put?.args).toEqual(["secret", "put", "MASTER_KEYS"]);
    expect(put?.env).toBeNull();
    expect(put?.input).toMatch(/^5:[A-Za-z0-9+/]{43}=,4:/);
    expect(put?.input.endsWith(keys)).toBe(true);
    expect(kept).toBe(`${put?.input}\n`);
    if (process.platform !== "win32") expect(mode).toBe(0o600);
    for (const secret of secretsOf(put?.input ?? "")) expect(text).not.toContain(secret);
  });

  it("prints the value only when told to", async () => {
    const { status, text, put, kept } = await rotateRemote(
      { before: 1, after: 2 },
      { args: ["--print"], keys: entry(1) },
    );
    expect(status).toBe(0);
    expect(text).toContain(put?.input ?? "nothing");
    expect(kept).toBeNull();
  });

  it.each([
    ["without the value in force", { args: ["--out", "OUT"], keys: null }, "MASTER_KEYS"],
    ["with a value that is not in force", { args: ["--out", "OUT"], keys: entry(1) }, "version 4"],
    ["without a place for the new value", { args: [], keys: entry(4) }, "--out"],
    ["with a malformed value", { args: ["--out", "OUT"], keys: `4:${"A".repeat(42)}=` }, "version:base64"],
  ])("touches nothing %s", async (_, options, word) => {
    const { status, text, put, kept } = await rotateRemote({ before: 4, after: 5 }, options);
    expect(status).toBe(1);
    expect(text).toContain(word);
    expect([put, kept]).toEqual([null, null]);
    for (const secret of secretsOf(options.keys ?? "none")) expect(text).not.toContain(secret);
  });

  it("says that the kept value is not in use when wrangler fails", async () => {
    const { status, text, kept } = await rotateRemote(
      { before: 4, after: 4, wranglerExit: 1 },
      { args: ["--out", "OUT"], keys: entry(4) },
    );
    expect(status).toBe(1);
    expect(text).toContain("not in use");
    expect(kept).not.toBeNull();
  });
});
