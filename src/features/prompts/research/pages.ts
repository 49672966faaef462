/**
 * Reads one page of the open web as text. Every address, also each that a redirect leads to, goes through the tenants' guard: a search engine
 * is as much a stranger as whoever writes the pages.
 */
import type { WorkspaceCtx } from "#core/context";
import { TenantCallError } from "#core/outbound";
import { sandboxBase } from "#core/sandbox-secrets";
import { pageText, tidy } from "#lib/page-text";
import { pageBytesMax, pageLength, pageTimeoutMs } from "./limits.ts";

const maxHops = 3;
const redirects = new Set([301, 302, 303, 307, 308]);

/** `refused`: the address is none that may be called, so nothing of it is used. `unread`: there is no text to be had. */
export type PageRead = { ok: true; text: string } | { ok: false; why: "refused" | "unread" };

interface Answer {
  status: number;
  headers: Headers;
  body: Uint8Array;
}

/** Never throws. */
export async function readPage(ctx: WorkspaceCtx, address: string, signal: AbortSignal): Promise<PageRead> {
  try {
    let url = address;
    for (let hop = 0; hop < maxHops; hop += 1) {
      const answer = await fetchPage(ctx, url, signal);
      const location = redirects.has(answer.status) ? answer.headers.get("location") : null;
      if (location === null) return textOf(answer);
      if (!URL.canParse(location, url)) break;
      url = new URL(location, url).href;
    }
    return { ok: false, why: "unread" };
  } catch (error) {
    return { ok: false, why: error instanceof TenantCallError && error.fault === "refused" ? "refused" : "unread" };
  }
}

async function fetchPage(ctx: WorkspaceCtx, url: string, signal: AbortSignal): Promise<Answer> {
  const request = new Request(url, { headers: { accept: "text/html, text/plain;q=0.9" }, signal });
  if (isSimulated(ctx, request.url)) return readSimulated(ctx, request);
  return ctx.outbound.tenant(request, { timeoutMs: pageTimeoutMs, bodyBytesMax: pageBytesMax });
}

/** The simulator's own pages stand in the Worker itself, which the guard rightly calls no public address. */
function isSimulated({ settings }: WorkspaceCtx, url: string): boolean {
  return settings.sandbox && url.startsWith(`${sandboxBase(settings, "search")}/pages/`);
}

async function readSimulated(ctx: WorkspaceCtx, request: Request): Promise<Answer> {
  const { status, headers, body } = await ctx.outbound.operator(request, { timeoutMs: pageTimeoutMs });
  const bytes = new Uint8Array(await new Response(body).arrayBuffer());
  if (bytes.length > pageBytesMax) throw new TenantCallError("body-too-large", "The page is too long.");
  return { status, headers, body: bytes };
}

function textOf({ status, headers, body }: Answer): PageRead {
  const [type = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const isHtml = type.trim() === "text/html";
  if (status !== 200 || (!isHtml && type.trim() !== "text/plain")) return { ok: false, why: "unread" };
  const raw = decoderOf(parameters).decode(body);
  const text = isHtml ? pageText(raw, pageLength) : tidy(raw, pageLength);
  return text === "" ? { ok: false, why: "unread" } : { ok: true, text };
}

function decoderOf(parameters: string[]): TextDecoder {
  const charset = parameters.map((parameter) => /^\s*charset="?([\w-]{1,40})"?\s*$/.exec(parameter)?.[1]).find(Boolean);
  try {
    return new TextDecoder(charset ?? "utf-8");
  } catch {
    return new TextDecoder();
  }
}
