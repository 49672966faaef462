/** The page on which a person approves a device. It keeps nothing: the session it makes for the approval ends with it. */
import { createHash } from "node:crypto";

const style = `body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:2rem 1rem;max-width:26rem;color:#1c1c1e;background:#fff}
label{display:block;margin:.9rem 0 .2rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #767680;border-radius:.4rem}
#user_code{letter-spacing:.2em;text-transform:uppercase}button{font:inherit;margin:1.2rem .5rem 0 0;padding:.5rem 1.1rem;border:1px solid #1c1c1e;border-radius:.4rem;background:#fff;color:#1c1c1e}
button[value=approve]{background:#1c1c1e;color:#fff}[hidden]{display:none}#message{margin-top:1.2rem;min-height:1.5em}
@media (prefers-color-scheme:dark){body,button{background:#1c1c1e;color:#f2f2f7}button[value=approve]{background:#f2f2f7;color:#1c1c1e}input{background:#2c2c2e;color:#f2f2f7}}`;

const styleHash = `'sha256-${createHash("sha256").update(style).digest("base64")}'`;
const turnstileHost = "https://challenges.cloudflare.com";

const script = `const form = document.querySelector("form");
const message = document.querySelector("#message");
const second = document.querySelector("#second");
const field = (name) => form.elements.namedItem(name);
field("user_code").value = (new URLSearchParams(location.search).get("user_code") ?? "").slice(0, 12);
let ticket = null;

async function post(path, body, token) {
  const headers = { "content-type": "application/json", ...(token ? { authorization: "Bearer " + token } : {}) };
  const answer = await window.fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : {} };
}

function credentials() {
  const human = field("cf-turnstile-response")?.value;
  const shown = human ? { turnstileToken: human } : {};
  if (!ticket) return { ...shown, email: field("email").value, password: field("password").value };
  const code = field("code").value.trim();
  return /^\\d{6}$/.test(code) ? { ...shown, ticket, totp_code: code } : { ...shown, ticket, recovery_code: code };
}

function askSecondFactor(body) {
  ticket = body.ticket;
  second.hidden = false;
  field("code").required = true;
  field("code").focus();
  message.textContent = "Enter the code of your authenticator app, or a recovery code.";
}

async function decide(approve) {
  const signedIn = await post("/v1/auth/login", credentials());
  if (globalThis.turnstile) turnstile.reset();
  if (signedIn.body.code === "second-factor-required") return askSecondFactor(signedIn.body);
  const token = signedIn.body.access_token;
  if (!token) throw new Error(signedIn.body.detail ?? "The sign-in failed.");
  const answer = await post("/v1/auth/device/approve", { user_code: field("user_code").value, approve }, token);
  await post("/v1/auth/logout", {}, token);
  ticket = null;
  second.hidden = true;
  field("code").required = false;
  if (answer.status !== 200) throw new Error(answer.body.detail);
  form.hidden = true;
  const name = answer.body.client_name || "The device";
  message.textContent = approve ? name + " is signed in. You can close this page." : name + " was refused.";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  message.textContent = "";
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  try {
    await decide(event.submitter?.value === "approve");
  } catch (error) {
    message.textContent = error.message;
  } finally {
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
});`;

function page(siteKey: string | null): string {
  const human =
    siteKey === null
      ? ""
      : `<div class="cf-turnstile" data-sitekey="${siteKey.replaceAll(/[^\w-]/g, "")}"></div><script src="${turnstileHost}/turnstile/v0/api.js" defer></script>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Sign in a device</title><link rel="icon" href="data:,"><style>${style}</style></head>
<body><main><h1>Sign in a device</h1><p>Enter the code that your device shows. Approve it only if you started this yourself: whoever holds the device will be signed in as you.</p>
<form><label for="user_code">Code</label><input id="user_code" name="user_code" required maxlength="12" autocomplete="off" spellcheck="false">
<label for="email">E-mail address or user name</label><input id="email" name="email" required autocomplete="username">
<label for="password">Password</label><input id="password" name="password" type="password" required autocomplete="current-password">
<div id="second" hidden><label for="code">Second factor</label><input id="code" name="code" autocomplete="one-time-code"></div>${human}
<button value="approve">Approve</button><button value="deny">Deny</button></form><p id="message" role="status"></p></main><script src="/device/page.js" type="module"></script></body></html>`;
}

/** No inline script, no other host (but Turnstile's when it is configured), in no frame: nobody can click through it for the person. */
export function devicePage(siteKey: string | null): Response {
  const human = siteKey === null ? "" : ` ${turnstileHost}`;
  const policy = [
    "default-src 'none'",
    `script-src 'self'${human}`,
    `style-src ${styleHash}`,
    "connect-src 'self'",
    "img-src data:",
    ...(siteKey === null ? [] : [`frame-src ${turnstileHost}`]),
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  return new Response(page(siteKey), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
      "cache-control": "no-store",
    },
  });
}

export function deviceScript(): Response {
  return new Response(script, {
    headers: { "content-type": "text/javascript; charset=utf-8", "cache-control": "public, max-age=300" },
  });
}
