/** `npm run test:browser`: what only a real browser shows. Cross-origin rules, direct uploads from a page, and a reference that asks nobody else. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type DevServer, startDevServer } from "../../src/cli/dev-server.ts";
import { repeatWav } from "../../src/cli/recording.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import type { PageActions } from "./page.ts";
import "./sign-in.ts";
import "./uppy.ts";
import { type PageServer, servePage } from "./page-server.ts";

declare const actions: PageActions;

const executablePath = findChromium();
if (executablePath === null) {
  process.stderr.write(
    "Chromium is missing. Install it with `apt-get install chromium`, or set CHROMIUM to its path.\n",
  );
  process.exit(1);
}

interface Watched {
  page: Page;
  /** Addresses outside the API and the test page. */
  outside: string[];
  /** Errors that the page or its console reported. */
  faults: string[];
}

void describe("in a browser", { timeout: 300_000 }, () => {
  let server: DevServer;
  let web: PageServer;
  let foreignWeb: PageServer;
  let browser: Browser;
  let context: BrowserContext;
  const folder = mkdtempSync(join(tmpdir(), "overtone-browser-"));
  const recordingPath = join(folder, `recording-${randomBytes(3).toString("hex")}.wav`);

  before(async () => {
    writeFileSync(
      recordingPath,
      repeatWav(readFileSync(new URL("../fixtures/briefing.wav", import.meta.url)), 24 * 1024 * 1024),
    );
    [web, foreignWeb] = await Promise.all([servePage(), servePage()]);
    server = await startDevServer({
      port: 8840,
      persistTo: join(folder, "state"),
      vars: { ALLOWED_ORIGINS: web.origin },
    });
    browser = await launchChromium(executablePath);
    context = await browser.newContext();
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    await Promise.all([web?.close(), foreignWeb?.close()]);
    rmSync(join(folder, "state"), { recursive: true, force: true });
    rmSync(recordingPath, { force: true });
  });

  async function watchedPage(url: string): Promise<Watched> {
    const page = await context.newPage();
    const watched: Watched = { page, outside: [], faults: [] };
    const inside = new Set([server.url, web.origin, foreignWeb.origin]);
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol.startsWith("http") || protocol.startsWith("ws"))
        if (!inside.has(origin)) watched.outside.push(request.url());
    });
    page.on("console", (message) => void (message.type() === "error" && watched.faults.push(message.text())));
    page.on("pageerror", (error) => void watched.faults.push(String(error)));
    await page.goto(url, { waitUntil: "networkidle" });
    return watched;
  }

  void it("uploads 24 MiB in parts, goes on after a reload, seals, opens and gets the same bytes", async () => {
    const { page, outside, faults } = await watchedPage(web.origin);
    const token = await page.evaluate((api) => actions.signUp(api), server.url);
    await page.setInputFiles("#file", recordingPath);
    const begun = await page.evaluate(() => actions.beginUpload(1));
    assert.deepEqual(begun.sentParts, [1]);

    await page.reload({ waitUntil: "networkidle" });
    await page.evaluate(({ api, known }) => actions.useToken(api, known), { api: server.url, known: token });
    await page.setInputFiles("#file", recordingPath);
    const continued = await page.evaluate(() => actions.continueUpload());
    assert.deepEqual(continued, { uploadId: begun.uploadId, sentParts: [2, 3] });

    const picked = await page.evaluate(() => actions.hashPicked());
    const file = await page.evaluate((id) => actions.completeUpload(id), begun.uploadId);
    assert.equal(file.sha256, picked);
    const result = await page.evaluate((id) => actions.sealAndOpen(id), file.id);
    assert.equal(result.imageCount, 3);
    assert.equal(result.events.filter((name) => name === "end").length, 2);
    assert.equal(result.sha256, picked);
    await page.screenshot({ path: join(folder, "upload.png") });
    assert.deepEqual({ outside, faults }, { outside: [], faults: [] });
  });

  void it("refuses a page of an origin that is not on the list", async () => {
    const { page } = await watchedPage(foreignWeb.origin);
    const outcome = await page.evaluate(
      (api) =>
        actions.signUp(api).then(
          () => "answered",
          (error: Error) => error.message,
        ),
      server.url,
    );
    assert.equal(outcome, "Failed to fetch");
  });

  void it("shows the reference without a request to anybody else and without an error", async () => {
    const { page, outside, faults } = await watchedPage(`${server.url}/reference`);
    await page.getByText("/v1/auth/register").first().waitFor({ timeout: 30_000 });
    // Groups are drawn when they come into view.
    await page.getByRole("button", { name: "Open Group - media" }).first().click();
    await page.getByText("/v1/uploads").first().waitFor({ timeout: 30_000 });
    await page.screenshot({ path: join(folder, "reference.png") });
    assert.deepEqual({ outside, faults }, { outside: [], faults: [] });
    process.stdout.write(`Screenshots: ${folder}\n`);
  });
});
