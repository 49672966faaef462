/**
 * Looks a request up on the web: plan, search, read pages, sum up, combine. Whatever fails leaves less behind, at worst nothing, and the request
 * goes on without it. What was found is remembered for its workspace alone.
 */
import { searchEngineOf } from "#adapters/search/index";
import type { Found, SearchEngine } from "#adapters/search/contract";
import type { WorkspaceCtx } from "#core/context";
import { isTestMode } from "#core/test-mode";
import { BoundedMap } from "#lib/bounded-map";
import { inTurns } from "#lib/in-turns";
import { ask } from "../ask.ts";
import type { Depth } from "../shapes.ts";
import * as limits from "./limits.ts";
import { readPage } from "./pages.ts";
import {
  combineBody,
  combined,
  confidenceOf,
  contentIn,
  type Finding,
  planBody,
  type Source,
  sourcesOf,
  searchWords,
  type Topic,
  topicBody,
  topicsIn,
} from "./questions.ts";

export interface Research {
  query: string;
  results: Finding[];
  total_sources: number;
  processing_time_ms: number;
}

export interface Researched {
  shown: Research;
  /** Of the questions that were put to models. */
  tokens: number;
}

interface Asked {
  query: string;
  depth: Depth;
  signal: AbortSignal;
  /** Questions that are put again under the same name are charged once. */
  chargeId?: string;
}

interface Kept<Value> {
  value: Value;
  untilMs: number;
}

/** In the isolate: what is lost with it is looked up again. */
const keptFindings = new BoundedMap<string, Kept<Finding[]>>(100);
const keptSearches = new BoundedMap<string, Kept<Found[]>>(200);

function recall<Value>(kept: BoundedMap<string, Kept<Value>>, name: string, nowMs: number): Value | null {
  const found = kept.get(name);
  return found && nowMs < found.untilMs ? found.value : null;
}

/** Never throws for a model, an engine or a page. */
export async function research(ctx: WorkspaceCtx, asked: Asked): Promise<Researched> {
  const begunMs = ctx.now();
  const query = asked.query.slice(0, limits.maxQueryLength);
  const name = keyOf(ctx, asked.depth, query);
  const known = recall(keptFindings, name, begunMs);
  const walk: Walk = { ...asked, query, tokens: 0 };
  const results = known ?? (await lookUp(ctx, walk));
  if (!known && results.length > 0)
    keptFindings.set(name, { value: results, untilMs: begunMs + limits.researchKeptMs });
  const shown = {
    query,
    results,
    total_sources: sourcesOf(results).length,
    processing_time_ms: Math.max(ctx.now() - begunMs, 0),
  };
  return { shown, tokens: walk.tokens };
}

function keyOf(ctx: WorkspaceCtx, ...parts: string[]): string {
  return JSON.stringify([ctx.workspaceId, isTestMode(ctx), ...parts]);
}

interface Walk extends Asked {
  tokens: number;
}

async function lookUp(ctx: WorkspaceCtx, walk: Walk): Promise<Finding[]> {
  const engine = searchEngineOf(ctx, { isTest: isTestMode(ctx) });
  if (!engine || walk.query.trim() === "") return [];
  const signal = AbortSignal.any([walk.signal, AbortSignal.timeout(limits.depthLimits[walk.depth].totalMs)]);
  const plan = await question(ctx, walk, { body: planBody(walk.query, walk.depth), signal, name: "plan" });
  const topics = plan === null ? [] : topicsIn(plan, walk.depth);
  const found = await inTurns(topics, limits.topicsAtOnce, (topic, index) =>
    findingOn(ctx, walk, { engine, topic, index, signal }),
  );
  const findings = found.filter((finding) => finding !== null);
  if (findings.length < 2) return findings;
  const text = await question(ctx, walk, { body: combineBody(walk.query, findings), signal, name: "combine" });
  return text ? [combined(walk.query, contentIn(text), findings)] : findings;
}

/** Null: the model did not answer, or said nothing. */
async function question(
  ctx: WorkspaceCtx,
  walk: Walk,
  { body, signal, name }: { body: Parameters<typeof ask>[1]["body"]; signal: AbortSignal; name: string },
): Promise<string | null> {
  const reservationId = walk.chargeId === undefined ? undefined : `${walk.chargeId}:${name}`;
  try {
    const { text, tokens } = await ask(ctx, { body, signal, reservationId });
    walk.tokens += tokens;
    return text.trim() === "" ? null : text;
  } catch (error) {
    ctx.log("warn", "research.question-failed", { step: name, error });
    return null;
  }
}

interface OneTopic {
  engine: SearchEngine;
  topic: Topic;
  index: number;
  signal: AbortSignal;
}

async function findingOn(ctx: WorkspaceCtx, walk: Walk, about: OneTopic): Promise<Finding | null> {
  const { topic, signal, index } = about;
  const pages = await pagesOn(ctx, walk, about);
  const used = pages.slice(0, limits.sourcesPerTopic);
  if (used.length === 0) return null;
  const body = topicBody(topic, walk.query, used);
  const text = await question(ctx, walk, { body, signal, name: `topic-${index}` });
  if (text === null) return null;
  const sources = used.map(({ title, url }): Source => ({ title, url }));
  return { topic: topic.topic, content: contentIn(text), sources, confidence: confidenceOf(topic.importance) };
}

type Page = Source & { text: string };

async function pagesOn(ctx: WorkspaceCtx, { query }: Walk, { engine, topic, signal }: OneTopic): Promise<Page[]> {
  const results = await searchFor(ctx, engine, { words: searchWords(topic, query), signal });
  const pages = await Promise.all(
    results.slice(0, limits.pagesPerTopic).map(async ({ title, url, snippet }): Promise<Page | null> => {
      const page = await readPage(ctx, url, signal);
      if (page.ok) return { title, url, text: page.text };
      // An excerpt is better than nothing, but nothing is said of an address that may not be called.
      return page.why === "unread" && snippet !== "" ? { title, url, text: snippet } : null;
    }),
  );
  return pages.filter((page) => page !== null);
}

async function searchFor(
  ctx: WorkspaceCtx,
  engine: SearchEngine,
  { words, signal }: { words: string; signal: AbortSignal },
): Promise<Found[]> {
  const name = keyOf(ctx, words);
  const known = recall(keptSearches, name, ctx.now());
  if (known) return known;
  try {
    const found = await engine.find(words, { count: limits.searchResults, signal });
    keptSearches.set(name, { value: found, untilMs: ctx.now() + limits.searchKeptMs });
    return found;
  } catch (error) {
    ctx.log("warn", "research.search-failed", { error });
    return [];
  }
}
