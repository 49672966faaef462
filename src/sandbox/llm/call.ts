/** A request to the simulated models, read and held against its limits, as the acts get it. */
import type { SandboxCtx } from "../context.ts";
import type { Answer } from "./delivery.ts";
import type { Fault } from "./faults.ts";
import type { Fields } from "./fields.ts";

export interface UploadedFile {
  name: string;
  fileName: string;
  sizeBytes: number;
  /** The first bytes, enough to know what it is. */
  head: Uint8Array<ArrayBuffer>;
  sha256: string;
  /** All of it, for acts that listen; null for the others. */
  bytes: Uint8Array<ArrayBuffer> | null;
}

export interface Call {
  ctx: Pick<SandboxCtx, "random" | "settings">;
  fields: Fields;
  files: readonly UploadedFile[];
  query: URLSearchParams;
  fault: Fault;
  /** Hash of the key: what one key stored, another does not find. */
  owner: string;
  /** The id in the path, when there is one. */
  id: string;
  headers: Headers;
}

export type Act = (call: Call) => Answer | Promise<Answer>;
