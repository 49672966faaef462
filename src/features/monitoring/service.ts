/** Whether the parts that the product stands on answer. Says nothing that only an operator should know. */
import type { Ctx } from "#core/context";
import { oldestDue } from "#core/job-store";
import { openCircuits } from "#features/chat/service";
import { providerStates } from "#features/models/service";
import { mailState } from "#features/notifications/service";
import { countStaleKeys } from "#features/secrets/service";
import type { Part, ProviderState, Transport } from "./shapes.ts";
import { ping, readTicks } from "./store.ts";

let startedAt: number | null = null;

export async function health(ctx: Ctx) {
  startedAt ??= ctx.now();
  const answered = await ping(ctx).then(
    () => true,
    () => false,
  );
  return {
    status: answered ? ("healthy" as const) : ("degraded" as const),
    timestamp: new Date(ctx.now()).toISOString(),
    uptime: Math.floor((ctx.now() - startedAt) / 1_000),
    environment: ctx.settings.environment,
    database: answered ? ("connected" as const) : ("unreachable" as const),
  };
}

export async function status(ctx: Ctx) {
  const [database, storage, queues, cron, mail, providers, encryption] = await Promise.all([
    probe(() => ping(ctx)),
    probe(() => ctx.files.head("status-probe")),
    queueState(ctx),
    cronState(ctx),
    mailPart(ctx),
    providersPart(ctx),
    countStaleKeys(ctx),
  ]);
  const parts = { database, storage, queues, cron, mail, providers };
  const worst = Object.values(parts).some((part) => part.status === "down") ? ("down" as const) : ("degraded" as const);
  const good = Object.values(parts).every((part) => part.status === "ok");
  return { status: good ? ("ok" as const) : worst, timestamp: new Date(ctx.now()).toISOString(), parts, encryption };
}

async function probe(ask: () => Promise<unknown>): Promise<Part> {
  return ask().then(
    () => ({ status: "ok" as const, detail: "Answers." }),
    () => ({ status: "down" as const, detail: "Does not answer." }),
  );
}

const lateMs = 5 * 60_000;

/** Work that is due and not started for five minutes means that messages do not arrive. */
async function queueState(ctx: Ctx): Promise<Part> {
  const oldest = await oldestDue(ctx);
  if (oldest === null || ctx.now() - oldest < lateMs) return { status: "ok", detail: "Work starts when it is due." };
  return { status: "degraded", detail: `The oldest due job has waited ${Math.round((ctx.now() - oldest) / 1_000)} s.` };
}

/** The transport that is configured, and whether it took the last mails. */
async function mailPart(ctx: Ctx): Promise<Part & { transport: Transport }> {
  const { transport } = ctx.settings.mail;
  const { works, detail } = await mailState(ctx);
  return { status: works ? "ok" : "degraded", detail, transport };
}

/** From the calls that were made anyway. Who asks here sees no address, no key and no figure of anybody's business. */
async function providersPart(ctx: Ctx): Promise<Part & { items: ProviderState[] }> {
  const circuits = openCircuits(ctx.now());
  const items = (await providerStates(ctx)).map((provider): ProviderState => ({
    ...provider,
    circuit: circuits.get(provider.name) ?? "closed",
  }));
  const configured = items.filter((item) => item.configured);
  const bad = configured.filter(({ state, circuit }) => state === "failing" || circuit === "open");
  if (configured.length === 0)
    return { status: "ok", detail: "None is configured: only test mode can ask models.", items };
  const detail =
    bad.length === 0
      ? `${configured.length} of ${items.length} are configured.`
      : `Failing: ${bad.map(({ name }) => name).join(", ")}.`;
  return { status: bad.length === 0 ? "ok" : "degraded", detail, items };
}

async function cronState(ctx: Ctx): Promise<Part> {
  const minute = (await readTicks(ctx)).find((tick) => tick.every === "minute");
  if (!minute) return { status: "degraded", detail: "No tick yet." };
  const age = ctx.now() - minute.at;
  return age < lateMs
    ? { status: "ok", detail: "Ticks." }
    : { status: "degraded", detail: `The last tick was ${Math.round(age / 1_000)} s ago.` };
}
