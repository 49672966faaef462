/**
 * The simulated companies, at /__sandbox. They speak the wire formats of the real ones, so that the product's own adapters are what is tried.
 * They know nothing of the product, and what they answer is never taken for the real thing: see `paymentProvider`.
 */
import type { SandboxCtx } from "./context.ts";
import { answerLlm } from "./llm/api.ts";
import { answerSpeech } from "./speech/api.ts";
import { answerSearch } from "./search/api.ts";
import { page, stylesheet } from "./page.ts";
import { answerApi } from "./stripe/api.ts";
import { answerPage } from "./stripe/pages.ts";
import { html } from "hono/html";

export type { SandboxCtx } from "./context.ts";

export const mountPoint = "/__sandbox";

export async function answerSandbox(ctx: SandboxCtx, request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const [company = "", ...rest] = pathname
    .slice(mountPoint.length + 1)
    .split("/")
    .filter(Boolean);
  if (company === "style.css") return stylesheet();
  if (company === "stripe" && rest[0] === "v1") return answerApi(ctx, request, rest.slice(1).join("/"));
  if (company === "llm") return answerLlm(ctx, request, rest.join("/"));
  if (company === "speech") return answerSpeech(ctx, request, rest.join("/"));
  if (company === "search") return answerSearch(request, rest.join("/"));
  if (company === "stripe") return answerPage(ctx, request, rest.join("/"));
  return page({ title: "Not found", status: 404, body: html`<p>No company is simulated here.</p>` });
}
