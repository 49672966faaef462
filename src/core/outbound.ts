/** What a feature or adapter may ask of the network. The implementation is `adapters/outbound.ts`; tests hand in their own. */

export interface OutboundOptions {
  /** From the call to the last byte of the answer's headers. */
  timeoutMs: number;
}

export interface Outbound {
  /** To a host that the deployer configured. Follows no redirect. Throws when nothing came in time. */
  operator(request: Request, options: OutboundOptions): Promise<Response>;
}
