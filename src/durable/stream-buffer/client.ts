/** How streams of models are kept and read again. Which stream it is says its name: one of another workspace or mode is another object. */
import { objectNamed } from "../stub.ts";
import type { Addition, Opening, Reading, StreamBuffer } from "./object.ts";

export type { Addition, Part, Reading } from "./object.ts";
export { heartbeatMs, maxStreamBytes, type StreamState } from "./rules.ts";

type Buffers = DurableObjectNamespace<StreamBuffer>;

export interface StreamName {
  workspaceId: string;
  mode: "live" | "test";
  id: string;
}

/** A stub that has failed may stay broken: each call takes a new one. */
function buffer(buffers: Buffers, { workspaceId, mode, id }: StreamName): DurableObjectStub<StreamBuffer> {
  return objectNamed(buffers, `${workspaceId} ${mode} ${id}`, {});
}

export async function openStream(buffers: Buffers, name: StreamName, opening: Opening): Promise<void> {
  await buffer(buffers, name).open(opening);
}

/** False: nothing more is taken. */
export async function appendToStream(buffers: Buffers, name: StreamName, addition: Addition): Promise<boolean> {
  return await buffer(buffers, name).append(addition);
}

/** Null: there is none. Waits at most `waitMs` for something behind `after`. */
export async function readStream(
  buffers: Buffers,
  name: StreamName,
  asked: { after: number; waitMs: number },
): Promise<Reading | null> {
  return await buffer(buffers, name).read(asked);
}

export async function discardStream(buffers: Buffers, name: StreamName): Promise<void> {
  await buffer(buffers, name).discard();
}
