/** Who takes part in the replays: people of a load test's limits, a superadmin, a provider that people sign in at, and what was mailed. */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Issuer } from "../sign-in/issuer.ts";
import type { Stage } from "../stage.ts";
import { liftLimits, setRole } from "../state.ts";
import { type LegacyPerson, register } from "./accounts.ts";
import type { Json, LegacyClient } from "./client.ts";
import type { Provider } from "./provider.ts";

export interface Cast {
  url: string;
  person: LegacyPerson;
  superadmin: LegacyPerson;
  /** Known to the product as `google`. */
  issuer: Issuer;
  /** A company of models, at an address that tenants may name here. */
  provider: Provider;
  /** What the pattern finds in the newest mail to the address that this was not answered with before. */
  mailed(address: string, pattern: RegExp): Promise<string>;
}

export const newAddress = () => `legacy-${randomBytes(8).toString("hex")}@example.com`;
export const newSecret = () => randomBytes(18).toString("base64url");
export const newName = () => `u_${randomBytes(6).toString("hex")}`;

const mailMs = 60_000;

/**
 * A free account may convert ten times an hour; the replay does so more often. Without `raised` nobody is raised and nothing lifted, which
 * spares a start of the server.
 */
export async function gather(
  client: LegacyClient,
  { stage, issuer, provider, raised }: { stage: Stage; issuer: Issuer; provider: Provider; raised: boolean },
): Promise<Cast> {
  issuer.allow(`${stage.url}/v1/auth/google/callback`);
  const [person, superadmin] = [await register(client), await register(client)];
  if (raised) {
    await stage.stop();
    liftLimits(stage.stateDir);
    setRole(stage.stateDir, { userId: superadmin.userId, role: "superadmin" });
    await stage.start();
  }
  const answered = new Set<string>();
  return {
    url: stage.url,
    person,
    superadmin,
    issuer,
    provider,
    async mailed(address, pattern) {
      const until = Date.now() + mailMs;
      while (Date.now() < until) {
        const found = (await mailsTo(stage.url, superadmin.token, address))
          .map(({ text }) => pattern.exec(text ?? "")?.[1])
          .find((match) => match !== undefined && !answered.has(match));
        if (found !== undefined) {
          answered.add(found);
          return found;
        }
        await pause(200);
      }
      throw new Error(`nothing like ${pattern.source} was mailed to ${address}`);
    },
  };
}

/** Newest first. */
async function mailsTo(url: string, token: string, address: string): Promise<{ text: string | null }[]> {
  const answer = await fetch(`${url}/v1/admin/outbox?to=${encodeURIComponent(address)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (answer.status !== 200) throw new Error(`the outbox answered ${answer.status} ${await answer.text()}`);
  return ((await answer.json()) as { items: { text: string | null }[] }).items;
}

export interface Newcomer {
  email: string;
  password: string;
  token: string;
  userId: string;
  workspaceId: string;
}

/** Somebody whose own way in is not what is looked at. */
export async function newcomer(url: string): Promise<Newcomer> {
  const [email, password] = [newAddress(), newSecret()];
  const answer = await fetch(`${url}/v1/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password, signIn: true, sessionKind: "opaque" }),
  });
  if (answer.status !== 201) throw new Error(`register answered ${answer.status} ${await answer.text()}`);
  const { user, workspace, session } = (await answer.json()) as Json;
  return { email, password, token: session.token, userId: user.id, workspaceId: workspace.id };
}
