/** What has to hold when somebody signs in at a provider; each check gives the word for what it saw wrong. */
import { randomBytes } from "node:crypto";
import { editor, land, makeVerifier, type Product, read, returned, send, signIn, travel } from "./product.ts";

export interface Check {
  name: string;
  run(product: Product, expect: Expect): Promise<void>;
}

type Expect = (what: string, holds: boolean, seen?: unknown) => void;

function newAccount(product: Product, change: { verified?: boolean; email?: string } = {}) {
  const subject = `sub-${randomBytes(6).toString("hex")}`;
  const email = change.email ?? `${subject}@example.com`;
  const account = { email, email_verified: change.verified ?? true, name: "Ada Lovelace" };
  for (const issuer of Object.values(product.issuers)) issuer.accounts.set(subject, account);
  return { subject, email };
}

async function register(product: Product, email = `${randomBytes(6).toString("hex")}@example.com`) {
  const password = randomBytes(12).toString("hex");
  const { body } = await send(product, "/v1/auth/register", { email, password, signIn: true });
  return { email, password, token: String(body.session?.access_token), userId: String(body.user?.id) };
}

const whole: Check = {
  name: "whole",
  async run(product, expect) {
    const { subject, email } = newAccount(product);
    const trip = await travel(product, { subject });
    const question = trip.browser.seen.find((url) => url.includes("code_challenge="));
    const asked = new URL(question ?? "none:").searchParams;
    expect(
      "whole: PKCE and nonce upstream",
      asked.get("code_challenge_method") === "S256" && asked.has("nonce"),
      question,
    );
    const visit = await land(trip);
    expect("whole: returns to the editor", visit.location?.startsWith(`${editor}?`) === true, visit);
    expect("whole: the state comes back", returned(visit).get("state") === trip.state, visit.location);
    const code = returned(visit).get("code") ?? "";
    const first = await send(product, "/v1/auth/token", { code, code_verifier: trip.verifier });
    expect("whole: a session", first.status === 200 && first.body.user?.email === email, first);
    expect("whole: the address is verified", first.body.user?.email_verified === true, first);
    const again = await signIn(product, { subject });
    expect("whole: the same person", again.body.user?.id === first.body.user?.id, again);
    const other = await signIn(product, { subject, name: "two" }).catch((error: Error) => error.message);
    expect("whole: another issuer is another identity", JSON.stringify(other).includes("return-code-invalid"), other);
    const tokens = [first, again].flatMap(({ body }) => [body.access_token, body.refresh_token]) as string[];
    const leaked = trip.browser.seen.some((url) => tokens.some((token) => url.includes(token)));
    expect("whole: no token in an address", !leaked);
    const gone = await fetch(
      `${product.url}/v1/auth/identities/${await onlyIdentity(product, first.body.access_token)}`,
      {
        method: "DELETE",
        headers: { authorization: `Bearer ${first.body.access_token}` },
      },
    );
    expect("whole: the last way stays", gone.status === 409, gone.status);
  },
};

async function onlyIdentity(product: Product, token: string): Promise<string> {
  const { body } = await read(product, "/v1/auth/identities", token);
  return String(body.items?.[0]?.id);
}

const direct: Check = {
  name: "direct",
  async run(product, expect) {
    const { subject } = newAccount(product);
    const trip = await travel(product, { subject, target: null });
    const { cookies } = trip.browser;
    const visit = await land(trip);
    expect("direct: a session", visit.status === 200 && visit.text.includes("access_token"), visit);
    trip.browser.cookies = cookies;
    const replay = await land(trip);
    expect("replay: refused", replay.status === 400 && replay.text.includes("sign-in-state-invalid"), replay);
  },
};

const foreign: Check = {
  name: "foreign",
  async run(product, expect) {
    const { subject } = newAccount(product);
    const trip = await travel(product, { subject, target: null });
    const { cookies } = trip.browser;
    trip.browser.cookies = [];
    const without = await land(trip);
    expect(
      "foreign browser: refused",
      without.status === 400 && without.text.includes("sign-in-state-invalid"),
      without,
    );
    trip.browser.cookies = cookies.map((cookie) =>
      cookie.name.includes("overtone-sign-in") ? { ...cookie, value: randomBytes(32).toString("base64url") } : cookie,
    );
    const other = await land(trip);
    expect("foreign cookie: refused", other.status === 400 && other.text.includes("sign-in-state-invalid"), other);
    const made = await land(await travel(product, { subject, target: null }), (url) =>
      url.searchParams.set("state", randomBytes(32).toString("base64url")),
    );
    expect("made-up state: refused", made.status === 400 && made.text.includes("sign-in-state-invalid"), made);
  },
};

const mixUp: Check = {
  name: "mix-up",
  async run(product, expect) {
    const { subject } = newAccount(product);
    const invalid = (visit: { status: number; text: string }) =>
      visit.status === 400 && visit.text.includes("sign-in-state-invalid");
    const travelOn = () => travel(product, { subject, target: null });
    const wrongIss = await land(await travelOn(), (url) => url.searchParams.set("iss", product.issuers.two.url));
    expect("iss of another: refused", invalid(wrongIss), wrongIss);
    const noIss = await land(await travelOn(), (url) => url.searchParams.delete("iss"));
    expect("iss left out: refused", noIss.status !== 200 && !noIss.text.includes("access_token"), noIss);
    const otherDoor = await land(await travelOn(), (url) => {
      url.pathname = "/v1/auth/two/callback";
    });
    expect("mix-up at another door: refused", invalid(otherDoor), otherDoor);
    const stolen = await travel(product, { subject, name: "two", target: null });
    const theirs = new URL(stolen.atCallback.location ?? "").searchParams;
    const mixed = await land(await travelOn(), (url) => {
      url.searchParams.set("code", theirs.get("code") ?? "");
      url.searchParams.set("iss", theirs.get("iss") ?? "");
    });
    expect("mix-up of two issuers: refused", invalid(mixed), mixed);
    const injected = await land(await travelOn(), (url) => url.searchParams.set("code", theirs.get("code") ?? ""));
    expect("code of another: refused", injected.status === 503 && injected.text.includes("provider-failed"), injected);
  },
};

const hostileTargets = [
  "https://evil.example/",
  "//evil.example/",
  "https://127.0.0.1.evil.example/",
  "http://127.0.0.1:80@evil.example/",
  "http://127.0.0.1/",
  "http://localhost:3000/",
  "http://0.0.0.0:3000/",
  "https://app.example.com.evil.example/",
  "https://app.example.com@evil.example/",
  "https://user:pass@app.example.com/",
  "https://app.example.com:444/",
  "http://app.example.com/",
  "https://app.example.com\\@evil.example/",
  "https://evil.example\\@app.example.com/",
  "https://app.example.com/#token",
  "javascript:alert(1)",
  "data:text/html,x",
  "vscode://evil/",
  "vscode://overtone.editor@evil/",
  "vscode:overtone.editor",
  "file:///etc/passwd",
  "https://APP.example.com.evil.example",
  "https://аpp.example.com/",
  "",
];
const friendlyTargets = [
  editor,
  "vscode://overtone.editor",
  "http://127.0.0.1:51004/callback",
  "http://[::1]:51004/",
  "https://app.example.com/signed-in?from=overtone",
];

const targets: Check = {
  name: "targets",
  async run(product, expect) {
    const { challenge } = makeVerifier();
    const begin = (body: object) => send(product, "/v1/auth/oauth/initiate", { provider: "one", ...body });
    for (const target of hostileTargets) {
      const answer = await begin({ redirect_uri: target, code_challenge: challenge });
      expect(`open redirect to ${target}: refused`, answer.status === 422, answer);
    }
    for (const target of friendlyTargets) {
      const answer = await begin({ redirect_uri: target, code_challenge: challenge });
      expect(`return to ${target}: allowed`, answer.status === 200, answer);
    }
    for (const more of [
      {},
      { code_challenge: "short" },
      { code_challenge: challenge, code_challenge_method: "plain" },
    ]) {
      const answer = await begin({ redirect_uri: editor, ...more });
      expect("no PKCE: refused", answer.status === 422, answer);
    }
    const unknown = await send(product, "/v1/auth/oauth/initiate", { provider: "constructor" });
    expect("unknown provider: 404", unknown.status === 404, unknown);
  },
};

const codes: Check = {
  name: "codes",
  async run(product, expect) {
    const { subject } = newAccount(product);
    const trip = await travel(product, { subject });
    const code = returned(await land(trip)).get("code") ?? "";
    const wrong = await send(product, "/v1/auth/token", { code, code_verifier: makeVerifier().verifier });
    expect("verifier of another: refused", wrong.status === 400 && wrong.body.code === "return-code-invalid", wrong);
    const late = await send(product, "/v1/auth/token", { code, code_verifier: trip.verifier });
    expect("code after a wrong verifier: refused", late.status === 400, late);
    const second = await travel(product, { subject });
    const other = returned(await land(second)).get("code") ?? "";
    const body = { code: other, code_verifier: second.verifier };
    const both = await Promise.all([1, 2, 3, 4].map(() => send(product, "/v1/auth/token", body)));
    const statuses = both.map(({ status }) => status).sort((one, two) => one - two);
    expect("code used at once: one session", statuses.join() === "200,400,400,400", statuses);
    const aborted = await land(await travel(product, { subject: newAccount(product).subject, abort: true }));
    expect("abort: told", returned(aborted).get("error") === "sign-in-refused", aborted);
  },
};

const takeOver: Check = {
  name: "take-over",
  async run(product, expect) {
    const owner = await register(product);
    const { subject } = newAccount(product, { email: owner.email.toUpperCase() });
    const trip = await travel(product, { subject });
    const back = returned(await land(trip));
    expect("take-over by a verified address: refused", back.get("error") === "link-required", back.toString());
    const ticket = back.get("link_ticket") ?? "";
    const stranger = await register(product);
    const tried = await send(
      product,
      "/v1/auth/oauth/initiate",
      {
        provider: "one",
        link_ticket: ticket,
        password: stranger.password,
        redirect_uri: editor,
        code_challenge: makeVerifier().challenge,
      },
      stranger.token,
    );
    expect("take-over by a ticket: refused", tried.status === 401, tried);
    const anybody = await send(product, "/v1/auth/oauth/initiate", { provider: "one", link: true });
    expect("linking without a session: refused", anybody.status === 401, anybody);
    const { challenge: code_challenge } = makeVerifier();
    const bare = { provider: "one", link_ticket: ticket, redirect_uri: editor, code_challenge };
    const session = await send(product, "/v1/auth/oauth/initiate", bare, owner.token);
    const unproven = session.status === 403 && session.body.code === "recent-proof-required";
    expect("linking by a session alone: refused", unproven, session);
    const lured = await travel(product, {
      subject,
      token: owner.token,
      more: { link_ticket: ticket, password: owner.password },
    });
    const luredCode = { code: returned(await land(lured)).get("code") ?? "", code_verifier: lured.verifier };
    const byStranger = await send(product, "/v1/auth/token", luredCode, stranger.token);
    expect("take-over by another's session: refused", byStranger.status === 400, byStranger);
    const linked = await signIn(product, {
      subject,
      token: owner.token,
      more: { link_ticket: ticket, password: owner.password },
    });
    expect("linking by the owner: done", linked.status === 200 && linked.body.identity?.provider === "one", linked);
    const entered = await signIn(product, { subject });
    expect("linked: opens the owner's account", entered.body.user?.id === owner.userId, entered);
    const again = await travel(product, {
      subject,
      token: stranger.token,
      more: { link: true, password: stranger.password },
    });
    const taken = returned(await land(again)).get("error");
    expect("linked: to one person only", taken === "identity-taken", taken);
    const other = newAccount(product);
    const wrong = await travel(product, {
      subject: other.subject,
      token: owner.token,
      more: { link_ticket: ticket, password: owner.password },
    });
    const unexpected = returned(await land(wrong)).get("error");
    expect("ticket for another identity: refused", unexpected === "identity-not-expected", unexpected);
  },
};

const unverified: Check = {
  name: "unverified",
  async run(product, expect) {
    const owner = await register(product);
    for (const email of [owner.email, `${randomBytes(6).toString("hex")}@example.com`]) {
      const { subject } = newAccount(product, { verified: false, email });
      const visit = await land(await travel(product, { subject, target: null }));
      expect("unverified address: refused", visit.status === 403 && visit.text.includes("unverified"), visit);
    }
  },
};

export const checks: readonly Check[] = [whole, direct, foreign, mixUp, targets, codes, takeOver, unverified];
