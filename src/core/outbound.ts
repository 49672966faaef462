/** What a feature or adapter may ask of the network. The implementation is `adapters/outbound.ts`; tests hand in their own. */

export interface OutboundOptions {
  /** From the call to the last byte of the answer. */
  timeoutMs: number;
}

export interface TenantOptions {
  /** From the first look at the name to the last byte of the answer. */
  timeoutMs: number;
  /** At most this many bytes of the answer are read; 0 reads none. More is an error, never a silent cut. */
  bodyBytesMax: number;
}

export interface TenantAnswer {
  status: number;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
}

/** `refused`: the address is not one that a tenant may name. `unresolved`: it has no address now. `timeout`, `unreachable`, `body-too-large`: as they say. */
export type TenantCallFault = "refused" | "unresolved" | "timeout" | "unreachable" | "body-too-large";

export class TenantCallError extends Error {
  readonly fault: TenantCallFault;

  constructor(fault: TenantCallFault, detail: string) {
    super(detail);
    this.name = "TenantCallError";
    this.fault = fault;
  }
}

export interface StreamOptions {
  /** From the call to the last byte of the answer's headers. The body may last longer: the call's own signal ends it. */
  headersTimeoutMs: number;
}

/** A call of which the answer is read as it comes; plain data, because a `Request` is made of it only once, by the platform. */
export interface StreamCall {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: BodyInit;
  /** Ends the call and the reading of its answer. */
  signal: AbortSignal;
}

export interface Outbound {
  /** To a host that the deployer configured. Follows no redirect. Throws when nothing came in time. */
  operator(request: Request, options: OutboundOptions): Promise<Response>;
  /** Like `operator`, for an answer that is read as it comes. */
  operatorStream(call: StreamCall, options: StreamOptions): Promise<Response>;
  /** To a host that a tenant named: only what is public is called. Follows no redirect. Throws `TenantCallError`. */
  tenant(request: Request, options: TenantOptions): Promise<TenantAnswer>;
  /** Like `tenant`, for an answer that is read as it comes; whoever reads it bounds it. */
  tenantStream(call: StreamCall, options: StreamOptions): Promise<Response>;
}
