/** What research asks of models, and how their answers are read. A model's answer is a stranger's: it is read with bounds and never trusted. */
import { isObject, type JsonObject } from "#adapters/llm/dialect";
import type { Depth } from "../shapes.ts";
import { depthLimits, findingLength, maxSearchLength, shownSources, sourceLength } from "./limits.ts";
import { dataRule, untrusted } from "./untrusted.ts";

export interface Topic {
  topic: string;
  importance: number;
  subtopics: string[];
}

export interface Source {
  title: string;
  url: string;
}

export interface Finding {
  topic: string;
  content: string;
  sources: Source[];
  confidence: number;
}

type Body = JsonObject & { model: string };

const planner = "gpt-4o-mini";
const writer = "gpt-4o";
const maxTopicLength = 200;
const maxSubtopics = 5;

export function planBody(query: string, depth: Depth): Body {
  const { topicsMin, topicsMax } = depthLimits[depth];
  const text = { type: "string" };
  const topic = {
    type: "object",
    properties: { topic: text, importance: { type: "number" }, subtopics: { type: "array", items: text } },
    required: ["topic", "importance", "subtopics"],
    additionalProperties: false,
  };
  const schema = {
    type: "object",
    properties: {
      needs_research: { type: "boolean" },
      topics: { type: "array", items: topic, minItems: topicsMin, maxItems: topicsMax },
    },
    required: ["needs_research", "topics"],
    additionalProperties: false,
  };
  return {
    model: planner,
    temperature: 0.3,
    max_tokens: 1_000,
    response_format: { type: "json_schema", json_schema: { name: "research_plan", schema, strict: true } },
    messages: [
      {
        role: "system",
        content: `You plan web research. Say whether the request needs facts that have to be looked up, and name ${topicsMin} to ${topicsMax} topics to search for, each with its importance from 0 to 1 and a few subtopics. Do not answer the request.`,
      },
      { role: "user", content: query },
    ],
  };
}

/** The topics to look up; none when nothing has to be, or when the answer is no plan. */
export function topicsIn(text: string, depth: Depth): Topic[] {
  const plan = parsed(text);
  if (!isObject(plan) || plan["needs_research"] !== true || !Array.isArray(plan["topics"])) return [];
  return plan["topics"].slice(0, depthLimits[depth].topicsMax).flatMap((entry: unknown) => {
    if (!isObject(entry) || typeof entry["topic"] !== "string" || entry["topic"].trim() === "") return [];
    const importance = Number(entry["importance"]);
    const subtopics = Array.isArray(entry["subtopics"]) ? entry["subtopics"] : [];
    return {
      topic: entry["topic"].trim().slice(0, maxTopicLength),
      importance: Number.isFinite(importance) ? Math.min(Math.max(importance, 0), 1) : 0.5,
      subtopics: subtopics
        .filter((name) => typeof name === "string")
        .slice(0, maxSubtopics)
        .map((name) => name.slice(0, maxTopicLength)),
    };
  });
}

/** The topic first, so that it is what remains when the engine takes fewer words; the request gives it its sense. */
export function searchWords({ topic, subtopics }: Topic, query: string): string {
  return [topic, query, ...subtopics].join(" ").replaceAll(/\s+/g, " ").trim().slice(0, maxSearchLength);
}

export function topicBody(
  { topic, subtopics }: Topic,
  query: string,
  pages: readonly (Source & { text: string })[],
): Body {
  const texts = pages.map(({ title, url, text }, index) =>
    untrusted(text.slice(0, sourceLength), { id: String(index + 1), title, url }),
  );
  return {
    model: writer,
    temperature: 0.4,
    max_tokens: 2_000,
    messages: [
      {
        role: "system",
        content: `You sum up what sources say about a topic. Keep to what they say, name the number of the source of each fact, and say where they disagree or are silent. ${dataRule}`,
      },
      {
        role: "user",
        content: [
          `Topic: ${topic}`,
          `Subtopics: ${subtopics.join("; ") || "none"}`,
          `For the request: ${query}`,
          ...texts,
        ].join("\n\n"),
      },
    ],
  };
}

export function combineBody(query: string, findings: readonly Finding[]): Body {
  const texts = findings.map(({ topic, content }, index) =>
    untrusted(content, { id: String(index + 1), title: topic }),
  );
  return {
    model: writer,
    temperature: 0.3,
    max_tokens: 3_000,
    messages: [
      {
        role: "system",
        content: `You put summaries of several topics together into one text for a request, without repeating anything, and keep the facts that matter to it. ${dataRule}`,
      },
      { role: "user", content: [`The request: ${query}`, ...texts].join("\n\n") },
    ],
  };
}

export function contentIn(text: string): string {
  return text.trim().slice(0, findingLength);
}

export function confidenceOf(importance: number): number {
  return Math.round(Math.min(0.9, importance + 0.1) * 100) / 100;
}

/** One finding of several: sources once each, the mean confidence. */
export function combined(query: string, content: string, findings: readonly Finding[]): Finding {
  const mean = findings.reduce((sum, { confidence }) => sum + confidence, 0) / findings.length;
  return { topic: query, content, sources: sourcesOf(findings), confidence: Math.round(mean * 100) / 100 };
}

export function sourcesOf(findings: readonly Finding[]): Source[] {
  return [...new Map(findings.flatMap(({ sources }) => sources.map((source) => [source.url, source]))).values()];
}

/** The request with what was found before it. */
export function withFindings(request: string, findings: readonly Finding[]): string {
  if (findings.length === 0) return request;
  const texts = findings.map(({ topic, content, sources, confidence }, index) => {
    const listed = sources.slice(0, shownSources).map(({ title, url }) => `- ${title}: ${url}`);
    const text = [content, `Confidence: ${confidence}`, "Sources:", ...listed].join("\n");
    return untrusted(text, { id: String(index + 1), title: topic });
  });
  return [`Web research for the request below. ${dataRule}`, ...texts, "The request:", request].join("\n\n");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
