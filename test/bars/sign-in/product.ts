/** The product as a client of its sign-in sees it. */
import { createHash, randomBytes } from "node:crypto";
import { Browser, type Visit } from "./browser.ts";
import type { Issuer } from "./issuer.ts";

export interface Answer {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- checks look into answers freely
  body: any;
}

export interface Product {
  url: string;
  issuers: Record<"one" | "two", Issuer>;
}

export async function send(product: Product, path: string, body: unknown, token?: string): Promise<Answer> {
  const answer = await fetch(`${product.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

export async function read(product: Product, path: string, token: string): Promise<Answer> {
  const answer = await fetch(`${product.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { status: answer.status, body: await answer.json() };
}

export function makeVerifier(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

export const editor = "vscode://overtone.editor/signed-in";

export interface Trip {
  browser: Browser;
  verifier: string;
  state: string;
  /** The last answer: the redirect to the callback, not followed yet. */
  atCallback: Visit;
}

/** Up to the door of the callback. `target` null: no return address. */
export async function travel(
  product: Product,
  given: {
    subject: string;
    name?: "one" | "two";
    target?: string | null;
    token?: string;
    abort?: boolean;
    more?: object;
  },
): Promise<Trip> {
  const { name = "one", target = editor, token } = given;
  const { verifier, challenge } = makeVerifier();
  const begun = await send(
    product,
    "/v1/auth/oauth/initiate",
    { provider: name, ...(target ? { redirect_uri: target, code_challenge: challenge } : {}), ...given.more },
    token,
  );
  if (begun.status !== 200) throw new Error(`initiate answered ${begun.status} ${JSON.stringify(begun.body)}`);
  const browser = new Browser();
  const stopAt = `${product.url}/v1/auth/`;
  const atCallback = await browser.signIn(begun.body.auth_url, {
    subject: given.subject,
    stopAt,
    ...(given.abort ? { abort: true } : {}),
  });
  if (!atCallback.location?.startsWith(stopAt)) throw new Error(`no callback: ${atCallback.status} ${atCallback.text}`);
  return { browser, verifier, state: begun.body.state, atCallback };
}

/** Over the threshold: what the callback answered. */
export async function land(trip: Trip, change: (url: URL) => void = () => undefined): Promise<Visit> {
  const url = new URL(trip.atCallback.location ?? "");
  change(url);
  return trip.browser.visit(url.href);
}

/** The parameters that the return address was given. */
export function returned(visit: Visit): URLSearchParams {
  return new URL(visit.location ?? "none:").searchParams;
}

/** A whole sign-in with a return address. */
export async function signIn(product: Product, given: Parameters<typeof travel>[1]): Promise<Answer> {
  const trip = await travel(product, given);
  const code = returned(await land(trip)).get("code") ?? "";
  return send(product, "/v1/auth/token", { code, code_verifier: trip.verifier }, given.token);
}
