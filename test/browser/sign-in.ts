/** Passkeys with the browser's own authenticator, and the page on which people approve a device. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser, CDPSession, Page } from "playwright-core";
import { type DevServer, startDevServer } from "../../src/cli/dev-server.ts";
import { findChromium, launchChromium } from "./chromium.ts";

const port = 8_870;
/** A passkey belongs to a name; browsers make none for an address of numbers. */
const origin = `http://localhost:${port}`;

interface Person {
  email: string;
  password: string;
  token: string;
  userId: string;
}

async function send(path: string, body: unknown, token?: string) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function register(): Promise<Person> {
  const email = `${randomBytes(6).toString("hex")}@example.com`;
  const password = randomBytes(12).toString("hex");
  const { status, body } = await send("/v1/auth/register", { email, password, signIn: true });
  assert.equal(status, 201);
  const { session, user } = body as { session: { access_token: string }; user: { id: string } };
  return { email, password, token: session.access_token, userId: user.id };
}

/** Runs in the page: asks for options, lets the browser make or use a passkey, and sends what it gave. */
async function usePasskey(given: { act: "register" | "login"; token?: string; password?: string }) {
  const headers = {
    "content-type": "application/json",
    ...(given.token ? { authorization: `Bearer ${given.token}` } : {}),
  };
  const base = `/v1/auth/passkeys/${given.act}`;
  const asked = given.password === undefined ? {} : { body: JSON.stringify({ password: given.password }) };
  const options = await (await fetch(`${base}/options`, { method: "POST", headers, ...asked })).json();
  const credential =
    given.act === "register"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  if (!(credential instanceof PublicKeyCredential)) throw new Error("no passkey");
  const body = JSON.stringify({ credential: credential.toJSON() });
  const answer = await fetch(`${base}/verify`, { method: "POST", headers, body });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown>, sent: body };
}

void describe("signing in, in a browser", { timeout: 300_000 }, () => {
  let server: DevServer;
  let browser: Browser;
  let page: Page;
  let cdp: CDPSession;
  const faults: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), "overtone-sign-in-"));

  before(async () => {
    server = await startDevServer({
      port,
      exactPort: true,
      persistTo: join(folder, "state"),
      vars: { PUBLIC_URL: origin },
    });
    const executablePath = findChromium();
    assert.ok(executablePath, "Chromium is missing");
    browser = await launchChromium(executablePath);
    page = await (await browser.newContext()).newPage();
    page.on("pageerror", (error) => void faults.push(String(error)));
    page.on("console", (message) => {
      // A refused step of a sign-in is an answer with 401, which browsers report as an error of the page.
      if (message.type() === "error" && !message.text().includes("401")) faults.push(message.text());
    });
    cdp = await page.context().newCDPSession(page);
    await cdp.send("WebAuthn.enable");
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function addAuthenticator(isUserVerified: boolean): Promise<string> {
    const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified,
        automaticPresenceSimulation: true,
      },
    });
    return authenticatorId;
  }

  void it("adds a passkey, signs in with it and refuses it a second time, after a removal and without verification", async () => {
    const person = await register();
    await page.goto(`${origin}/device`, { waitUntil: "networkidle" });
    const authenticatorId = await addAuthenticator(true);
    const added = await page.evaluate(usePasskey, { act: "register" as const, ...person });
    assert.equal(added.status, 201, JSON.stringify(added.body));
    const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
    assert.equal(credentials[0]?.isResidentCredential, true);

    const entered = await page.evaluate(usePasskey, { act: "login" as const });
    assert.equal(entered.status, 200, JSON.stringify(entered.body));
    assert.equal((entered.body["user"] as { id: string }).id, person.userId);
    const replayed = await send("/v1/auth/passkeys/login/verify", JSON.parse(entered.sent));
    assert.equal(replayed.body["code"], "passkey-challenge-invalid");

    await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
    const unverified = await page.evaluate(usePasskey, { act: "login" as const }).catch((error: Error) => error.name);
    assert.notEqual((unverified as { status?: number }).status, 200);
    await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });

    const gone = await fetch(`http://127.0.0.1:${port}/v1/auth/passkeys/${String(added.body["id"])}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${person.token}` },
    });
    assert.equal(gone.status, 204);
    const late = await page.evaluate(usePasskey, { act: "login" as const });
    assert.equal(late.body["code"], "passkey-refused");
    await cdp.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
    assert.deepEqual(faults, []);
  });

  void it("approves a device on its page, with a wrong password first", async () => {
    const person = await register();
    const { body: grant } = await send("/v1/auth/device/code", { client_id: "Our editor" });
    await page.goto(String(grant["verification_uri_complete"]), { waitUntil: "networkidle" });
    assert.equal(await page.inputValue("#user_code"), grant["user_code"]);
    await page.fill("#email", person.email);
    await page.fill("#password", "not the password");
    await page.click("button[value=approve]");
    await page.getByText("wrong").waitFor({ timeout: 10_000 });
    await page.fill("#password", person.password);
    await page.click("button[value=approve]");
    await page.getByText("Our editor is signed in").waitFor({ timeout: 10_000 });
    const answer = await send("/v1/auth/device/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: grant["device_code"],
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual(faults, []);
  });
});
