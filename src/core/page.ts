/** Lists by cursor: newest first, at most 100 a page. Ids sort by time, so the cursor is the last id seen. */
import * as z from "zod";
import { decodeCursor, encodeCursor } from "#lib/cursor";
import { Problem } from "./problem.ts";
import { type Output, type Shape, shape } from "./shape.ts";

export const pageQuery = shape(() =>
  z.object({
    limit: z.coerce.number().int().min(1).max(100).default(50).meta({ description: "At most 100 a page." }),
    cursor: z.string().max(500).optional().meta({ description: "`nextCursor` of the page before." }),
  }),
);

export type PageQuery = Output<typeof pageQuery>;

export function pageOf<Item extends z.ZodType>(item: Shape<Item>, name: string) {
  return shape(() => z.object({ items: z.array(item()), nextCursor: z.string().nullable() }).meta({ id: name }));
}

/** The id after which the page starts, or null for the first page. */
export function readCursor(query: { cursor?: string | undefined }): string | null {
  if (query.cursor === undefined) return null;
  const [id] = decodeCursor(query.cursor) ?? [];
  if (id === undefined) throw new Problem("invalid-cursor");
  return id;
}

/** Takes `limit + 1` rows; the extra one tells whether there is a next page. */
export function toPage<Row extends { id: string }, Item>(
  rows: Row[],
  limit: number,
  map: (row: Row) => Item,
): { items: Item[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(map), nextCursor: rows.length > limit && last ? encodeCursor([last.id]) : null };
}
