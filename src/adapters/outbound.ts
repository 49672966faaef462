/** The only caller of `fetch`. Every call has a time-out and follows no redirect: a redirect may lead where nobody allowed it to. */
import type { Settings } from "#core/env";
import {
  type Outbound,
  type OutboundOptions,
  type StreamCall,
  type StreamOptions,
  type TenantAnswer,
  TenantCallError,
  type TenantOptions,
} from "#core/outbound";
import { isPublicAddress } from "#lib/network-address";
import { checkTenantUrl } from "#lib/tenant-url";

type TenantSettings = Pick<Settings, "outboundTenantAllow" | "publicUrl" | "dnsOverHttpsUrl">;
type Fetch = (request: Request | string, options?: RequestInit) => Promise<Response>;

const dnsTimeoutMs = 3_000;
const maxDnsAnswerBytes = 65_536;
const maxDnsAnswers = 100;
const recordTypes = { a: 1, aaaa: 28 } as const;

/** @param call the platform's `fetch` unless a test puts its own network there. */
export function outboundOf(
  settings: TenantSettings,
  call: Fetch = (request, options) => fetch(request, options),
): Outbound {
  return {
    operator: (request: Request, { timeoutMs }: OutboundOptions) =>
      call(
        new Request(request, {
          redirect: "manual",
          signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]),
        }),
      ),
    operatorStream: (asked, options) => withHeadersInTime(call, asked, options),
    tenant: (request, options) => callTenant(settings, call, { request, options }),
    tenantStream: (asked, options) => callTenantStream(settings, call, { asked, options }),
  };
}

/** The time-out ends with the headers: a signal that fires later would cut a stream that is well. */
async function withHeadersInTime(
  call: Fetch,
  { url, signal: given, ...rest }: StreamCall,
  { headersTimeoutMs }: StreamOptions,
): Promise<Response> {
  const tooLate = new AbortController();
  const timer = setTimeout(
    () => tooLate.abort(new DOMException("No headers in time.", "TimeoutError")),
    headersTimeoutMs,
  );
  try {
    const signal = AbortSignal.any([given, tooLate.signal]);
    return await call(url, { ...rest, redirect: "manual", signal });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The name is looked up before the call, by a resolver that the operator chose. The platform looks it up again for the call itself and
 * cannot be told the answer, so a name that changes in between is not caught here: https with a valid certificate for that name, the
 * platform's own refusal of private networks (`global_fetch_strictly_public`) and an answer that nobody is shown are what remains.
 */
async function callTenant(
  settings: TenantSettings,
  call: Fetch,
  { request, options }: { request: Request; options: TenantOptions },
): Promise<TenantAnswer> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(options.timeoutMs)]);
  return translatingFaults(signal, async () => {
    await requireCallable(settings, call, { url: request.url, signal });
    const answer = await call(new Request(request, { redirect: "manual", signal }));
    const body = await readAtMost(answer, options.bodyBytesMax);
    return { status: answer.status, headers: answer.headers, body };
  });
}

async function callTenantStream(
  settings: TenantSettings,
  call: Fetch,
  { asked, options }: { asked: StreamCall; options: StreamOptions },
): Promise<Response> {
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(options.headersTimeoutMs)]);
  return translatingFaults(signal, async () => {
    await requireCallable(settings, call, { url: asked.url, signal });
    return withHeadersInTime(call, asked, options);
  });
}

async function requireCallable(
  settings: TenantSettings,
  call: Fetch,
  { url, signal }: { url: string; signal: AbortSignal },
): Promise<void> {
  const rules = { allow: settings.outboundTenantAllow, publicUrl: settings.publicUrl };
  const check = checkTenantUrl(url, rules);
  if (!check.ok) throw new TenantCallError("refused", `The address is refused: ${check.reason}.`);
  if (!check.isAllowListed) await requirePublic(settings, call, { host: check.url.hostname, signal });
}

async function translatingFaults<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TenantCallError) throw error;
    // The runtime's own words may name addresses inside.
    throw signal.aborted
      ? new TenantCallError("timeout", "No answer in time.")
      : new TenantCallError("unreachable", "The host could not be reached.");
  }
}

/** Every address of the name has to be public: the platform may use any of them. */
async function requirePublic(
  settings: TenantSettings,
  call: Fetch,
  { host, signal }: { host: string; signal: AbortSignal },
): Promise<void> {
  const answers = await Promise.all(
    Object.values(recordTypes).map((type) => lookUp(settings, call, { host, type, signal })),
  );
  const found = answers.flat();
  if (found.length === 0) throw new TenantCallError("unresolved", "The host has no address.");
  if (!found.every(isPublicAddress))
    throw new TenantCallError("refused", "The host has an address that is not public.");
}

/** The addresses of one type (RFC 8484's JSON form, as Cloudflare and Google answer it). */
async function lookUp(
  settings: TenantSettings,
  call: Fetch,
  { host, type, signal }: { host: string; type: number; signal: AbortSignal },
): Promise<string[]> {
  const url = new URL(settings.dnsOverHttpsUrl);
  url.searchParams.set("name", host.replace(/\.+$/, ""));
  url.searchParams.set("type", String(type));
  const answer = await call(
    new Request(url, {
      headers: { accept: "application/dns-json" },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(dnsTimeoutMs)]),
    }),
  ).catch(() => null);
  if (answer?.status !== 200) {
    await answer?.body?.cancel();
    throw new TenantCallError("unresolved", "The host's addresses could not be looked up.");
  }
  return addressesOf(JSON.parse(new TextDecoder().decode(await readAtMost(answer, maxDnsAnswerBytes))), type);
}

function addressesOf(answer: unknown, type: number): string[] {
  const { Status: status, Answer: records } = Object(answer) as { Status?: unknown; Answer?: unknown };
  // 3 is NXDOMAIN; any other failure leaves open what the name stands for.
  if (status !== 0 && status !== 3)
    throw new TenantCallError("unresolved", "The host's addresses could not be looked up.");
  if (!Array.isArray(records)) return [];
  if (records.length > maxDnsAnswers) throw new TenantCallError("refused", "The host has too many addresses.");
  return records.flatMap((record: unknown) => {
    const { type: kind, data } = Object(record) as { type?: unknown; data?: unknown };
    return kind === type ? [String(data)] : [];
  });
}

async function readAtMost(answer: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const reader = (answer.body as ReadableStream<Uint8Array<ArrayBuffer>> | null)?.getReader();
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let sizeBytes = 0;
  while (reader && maxBytes > 0) {
    const { done, value } = await reader.read();
    if (done) return Uint8Array.from(Buffer.concat(chunks));
    sizeBytes += value.byteLength;
    if (sizeBytes > maxBytes) {
      await reader.cancel();
      throw new TenantCallError("body-too-large", `The answer has more than ${maxBytes} bytes.`);
    }
    chunks.push(value);
  }
  await reader?.cancel();
  return new Uint8Array(0);
}
