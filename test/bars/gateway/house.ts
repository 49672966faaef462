/**
 * One copy of the product, its provider and its first account for all runs of this process: to make the database takes longer than most of them.
 * Each run has companies of its own; mutants change the copy between two starts. It is gone with the process.
 */
import type { Person } from "../people.ts";
import { applyPatches, openStage, type Patch, type Stage } from "../stage.ts";
import { openRoot } from "./company.ts";
import { openUpstream, type Upstream } from "./upstream.ts";

export interface House {
  stage: Stage;
  upstream: Upstream;
  root: Person;
}

let opened: Promise<House> | null = null;

export function openHouse(): Promise<House> {
  opened ??= build();
  return opened;
}

async function build(): Promise<House> {
  const upstream = await openUpstream();
  const stage = await openStage([], {
    PROVIDER_OPENAI_BASE_URL: upstream.url("one"),
    PROVIDER_OPENAI_KEY: "sk-one",
    PROVIDER_WAPI_BASE_URL: upstream.url("two"),
    PROVIDER_WAPI_KEY: "sk-two",
  });
  const root = await openRoot(stage);
  return { stage, upstream, root };
}

/** Does the work on a server with these changes, and leaves it stopped and without them. */
export async function withPatches<Result>(
  { stage }: House,
  patches: readonly Patch[],
  work: () => Promise<Result>,
): Promise<Result> {
  const isChanged = patches.length > 0;
  if (isChanged) await stage.stop();
  const takeBack = applyPatches(stage.folder, patches);
  try {
    if (!stage.isUp()) await stage.start();
    return await work();
  } finally {
    await stage.stop();
    takeBack();
  }
}
