/** Reads ranges of one version of a stored object. A version that was replaced or removed in between is refused, never mixed. */
import type { Ctx } from "#core/context";
import { Problem } from "#core/problem";

export interface ObjectSource {
  sizeBytes: number;
  /** Exactly these bytes. */
  read(offset: number, lengthBytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

export interface ObjectVersion {
  key: string;
  sizeBytes: number;
  /** null: any version; for objects that are never replaced. */
  etag: string | null;
}

/** Reads throw `source-changed`. */
export function openObject(ctx: Pick<Ctx, "files">, version: ObjectVersion): ObjectSource {
  const { key, sizeBytes, etag } = version;
  return {
    sizeBytes,
    async read(offset, lengthBytes) {
      const object = await ctx.files.get(key, {
        range: { offset, length: lengthBytes },
        ...(etag === null ? {} : { onlyIf: { etagMatches: etag } }),
      });
      // Without a body the condition failed: it is another version.
      if (!object || !("body" in object) || object.size !== sizeBytes) throw new Problem("source-changed");
      const bytes = new Uint8Array(await object.arrayBuffer());
      if (bytes.byteLength !== lengthBytes) throw new Problem("source-changed");
      return bytes;
    },
  };
}
