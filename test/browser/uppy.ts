/** Uppy 5 and 6 as they are published, in a browser, against the local server: by URL alone, with a pause, and picked again after a reload. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { type DevServer, startDevServer } from "../../src/cli/dev-server.ts";
import { repeatWav } from "../../src/cli/recording.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { type PageServer, servePage } from "./page-server.ts";

interface Ended {
  uploaded: string[];
  failed: string[];
}

interface UppyActions {
  start(endpoint: string): Promise<boolean[]>;
  pick(): void;
  upload(): Promise<Ended>;
  beginUpload(): Promise<(string | null)[]>;
  uploadWithPause(): Promise<Ended & { heardWhilePaused: number }>;
  goOn(): Promise<Ended & { before: (string | null)[] }>;
  hashPicked(): Promise<string>;
}

declare const actions: UppyActions;

/** The page's script with the Uppy of one major version, installed when it is missing. */
async function bundle(major: 5 | 6): Promise<string> {
  const folder = fileURLToPath(new URL(`uppy/${major}`, import.meta.url));
  if (!existsSync(join(folder, "node_modules"))) {
    const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder, stdio: "inherit" });
    assert.equal(status, 0, "Uppy cannot be installed");
  }
  const contents = readFileSync(new URL("uppy/page.mjs", import.meta.url), "utf8");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder },
    bundle: true,
    write: false,
    format: "esm",
    define: { uppyMajor: String(major) },
  });
  return outputFiles[0]?.text ?? "";
}

for (const major of [5, 6] as const) {
  void describe(`Uppy ${major} in a browser`, { timeout: 300_000 }, () => {
    let server: DevServer;
    let web: PageServer;
    let browser: Browser;
    let token: string;
    const folder = mkdtempSync(join(tmpdir(), `overtone-uppy-${major}-`));
    const recordingPath = join(folder, "long take.wav");

    before(async () => {
      const recording = readFileSync(new URL("../fixtures/briefing.wav", import.meta.url));
      writeFileSync(recordingPath, repeatWav(recording, 18 * 1024 * 1024));
      web = await servePage(await bundle(major));
      const vars = { ALLOWED_ORIGINS: web.origin };
      server = await startDevServer({ port: 8_880 + major, persistTo: join(folder, "state"), vars });
      const email = `${randomBytes(6).toString("hex")}@example.com`;
      const { session } = await api<{ session: { access_token: string } }>("POST", "/v1/auth/register", {
        email,
        password: randomBytes(12).toString("hex"),
        signIn: true,
      });
      token = session.access_token;
      const executablePath = findChromium();
      assert.ok(executablePath, "Chromium is missing");
      browser = await launchChromium(executablePath);
    });

    after(async () => {
      await browser?.close();
      await server?.stop();
      await web?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    async function api<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
      const answer = await fetch(`${server.url}${path}`, {
        method,
        headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
      return (await answer.json()) as Answer;
    }

    async function newEndpoint(): Promise<string> {
      const asked = { maxBytes: 20 * 1024 * 1024, maxFiles: 1, accept: ["audio/*"] };
      return (await api<{ uppyEndpoint: string }>("POST", "/v1/upload-tickets", asked)).uppyEndpoint;
    }

    async function openPage(): Promise<Page> {
      const page = await (await browser.newContext()).newPage();
      await page.goto(web.origin, { waitUntil: "networkidle" });
      return page;
    }

    async function hashOf(location: string | undefined): Promise<string> {
      const { pathname } = new URL(location ?? "");
      return (await api<{ sha256: string }>("GET", pathname.replace(/\/content$/, ""))).sha256;
    }

    void it("uploads by URL alone", async () => {
      const page = await openPage();
      const endpoint = await newEndpoint();
      await page.evaluate((url) => actions.start(url), endpoint);
      await page.setInputFiles("#file", recordingPath);
      await page.evaluate(() => actions.pick());
      const { uploaded, failed } = await page.evaluate(() => actions.upload());
      assert.deepEqual(failed, []);
      assert.equal(await hashOf(uploaded[0]), await page.evaluate(() => actions.hashPicked()));
    });

    // Uppy 5 forgets the bytes of parts that it has sent, so it goes on in the same page only where storage lists parts: R2 does, the
    // local stand-in does not.
    if (major === 6)
      void it("pauses and goes on", async () => {
        const page = await openPage();
        const endpoint = await newEndpoint();
        await page.evaluate((url) => actions.start(url), endpoint);
        await page.setInputFiles("#file", recordingPath);
        await page.evaluate(() => actions.pick());
        const { uploaded, failed, heardWhilePaused } = await page.evaluate(() => actions.uploadWithPause());
        assert.deepEqual({ failed, heardWhilePaused }, { failed: [], heardWhilePaused: 0 });
        assert.equal(await hashOf(uploaded[0]), await page.evaluate(() => actions.hashPicked()));
      });

    void it("goes on with the same upload when the file is picked again after a reload", async () => {
      const page = await openPage();
      const endpoint = await newEndpoint();
      await page.evaluate((url) => actions.start(url), endpoint);
      await page.setInputFiles("#file", recordingPath);
      await page.evaluate(() => actions.pick());
      const [begun] = await page.evaluate(() => actions.beginUpload());
      assert.match(begun ?? "", /^upl_/);
      // Uppy writes down what it knows at most every half second.
      await page.waitForTimeout(700);
      await page.reload({ waitUntil: "networkidle" });
      assert.deepEqual(await page.evaluate((url) => actions.start(url), endpoint), [true]);
      await page.setInputFiles("#file", recordingPath);
      await page.evaluate(() => actions.pick());
      const { before: known, uploaded, failed } = await page.evaluate(() => actions.goOn());
      assert.deepEqual({ known, failed }, { known: [begun], failed: [] });
      assert.equal(await hashOf(uploaded[0]), await page.evaluate(() => actions.hashPicked()));
    });
  });
}
