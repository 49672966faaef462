/** Calls a search engine and reads its answer with bounds: whatever it sends becomes a short list of plain texts, or an error. */
import type { Outbound } from "#core/outbound";
import { type Found, SearchError } from "./contract.ts";

const timeoutMs = 10_000;
const maxAnswerBytes = 1_048_576;
const maxTitleLength = 300;
const maxUrlLength = 2_048;
const maxSnippetLength = 1_000;

/** The value of the answer's JSON. Throws `SearchError`. */
export async function readAnswer(outbound: Outbound, request: Request): Promise<unknown> {
  let response: Response;
  try {
    response = await outbound.operator(request, { timeoutMs });
  } catch {
    throw new SearchError("unreachable", "The search engine did not answer.");
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new SearchError("refused", `The search engine answered ${response.status}.`);
  }
  try {
    return JSON.parse(await readText(response)) as unknown;
  } catch (error) {
    if (error instanceof SearchError) throw error;
    throw new SearchError("invalid", "The search engine's answer is no JSON.");
  }
}

async function readText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += part.length;
    if (sizeBytes > maxAnswerBytes) throw new SearchError("invalid", "The search engine's answer is too long.");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** @param snippetName what the engine calls its excerpt */
export function foundIn(list: unknown, { snippetName, count }: { snippetName: string; count: number }): Found[] {
  if (!Array.isArray(list)) throw new SearchError("invalid", "The search engine's answer has no results.");
  const found: Found[] = [];
  for (const entry of list.slice(0, count * 2)) {
    const { title, url, [snippetName]: snippet } = Object(entry) as Record<string, unknown>;
    if (typeof url !== "string" || url.length > maxUrlLength || !/^https?:\/\//i.test(url) || !URL.canParse(url))
      continue;
    found.push({ title: short(title, maxTitleLength) || url, url, snippet: short(snippet, maxSnippetLength) });
    if (found.length === count) break;
  }
  return found;
}

/** Without tags: Brave marks words in its excerpts. */
function short(value: unknown, maxLength: number): string {
  const text = typeof value === "string" ? value.slice(0, maxLength * 4) : "";
  return text
    .replaceAll(/<\/?[a-z]{1,10}>/gi, "")
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, maxLength);
}
