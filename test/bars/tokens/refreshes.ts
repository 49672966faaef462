/** Refreshing at once: nobody is thrown out by it, and a thief who comes later ends the family. */
import { setTimeout as pause } from "node:timers/promises";
import { note } from "../options.ts";

export interface Tokens {
  access_token: string;
  refresh_token: string;
}

export type Report = (what: string, holds: boolean, seen?: unknown) => void;

interface Refreshed {
  status: number;
  body: Partial<Tokens> & { code?: string };
}

export async function refresh(url: string, refreshToken: string | undefined): Promise<Refreshed> {
  const answer = await fetch(`${url}/v1/auth/refresh`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ refresh_token: refreshToken }),
  });
  return { status: answer.status, body: (await answer.json()) as Refreshed["body"] };
}

export async function isSignedIn(url: string, accessToken: string | undefined): Promise<boolean> {
  const answer = await fetch(`${url}/v1/api-keys`, { headers: { authorization: `Bearer ${accessToken ?? ""}` } });
  await answer.arrayBuffer();
  return answer.status === 200;
}

const parallel = 50;
/** The grace of the product is 30 s. */
const afterGraceMs = 31_000;

/** Fifty at once; returns what a later replay has to kill. */
export async function refreshAtOnce(url: string, tokens: Tokens, report: Report) {
  const answers = await Promise.all(Array.from({ length: parallel }, () => refresh(url, tokens.refresh_token)));
  const successes = answers.filter(({ status }) => status === 200);
  const successors = new Set(successes.map(({ body }) => body.refresh_token));
  report(
    `refresh: ${parallel} at once succeed`,
    successes.length === parallel,
    answers.map(({ status }) => status),
  );
  report("refresh: they get one successor", successors.size === 1, successors.size);
  const [successor] = successors;
  const next = await refresh(url, successor);
  report("refresh: the successor works", next.status === 200, next);
  report("refresh: its access token works", await isSignedIn(url, next.body.access_token));
  return { replayed: tokens.refresh_token, newest: next.body, exchangedAtMs: performance.now() };
}

type Family = Awaited<ReturnType<typeof refreshAtOnce>>;

/** Once the grace is over: the replay is refused, and nothing of the family works any more. */
export async function replayLater(url: string, family: Family, report: Report): Promise<void> {
  const waitMs = family.exchangedAtMs + afterGraceMs - performance.now();
  if (waitMs > 0) await pause(waitMs);
  const replay = await refresh(url, family.replayed);
  report("replay: refused as reused", replay.status === 401 && replay.body.code === "refresh-token-reused", replay);
  const newest = await refresh(url, family.newest.refresh_token);
  report("replay: kills the newest refresh token", newest.status === 401, newest);
  report("replay: kills the access token", !(await isSignedIn(url, family.newest.access_token)));
}

/** Every person refreshes twice at once, as two tabs do, and is still signed in with either answer. */
export async function refreshInTabs(url: string, people: readonly Tokens[], report: Report): Promise<number> {
  let loggedOut = 0;
  const queue = [...people];
  const work = async () => {
    for (let person = queue.pop(); person; person = queue.pop()) {
      const token = person.refresh_token;
      const tabs = await Promise.all([refresh(url, token), refresh(url, token)]);
      const last = await refresh(url, tabs[1]?.body.refresh_token);
      const stays = tabs.every(({ status }) => status === 200) && last.status === 200;
      if (!stays || !(await isSignedIn(url, last.body.access_token))) loggedOut += 1;
    }
  };
  await Promise.all(Array.from({ length: 20 }, work));
  report(`tabs: nobody of ${people.length} is logged out`, loggedOut === 0, loggedOut);
  note(`tokens: ${people.length} people refreshed in two tabs`);
  return loggedOut;
}
