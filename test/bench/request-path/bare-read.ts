/** The peer: the same Drizzle read as GET /v1/jobs, alone in a Worker, without router, sign-in or limits. */
import { and, desc, eq } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { jobs } from "../../../src/core/tables.ts";

export default {
  async fetch(_request: Request, env: { DB: D1Database }): Promise<Response> {
    const db = drizzle(env.DB.withSession("first-unconstrained") as unknown as D1Database);
    const rows = await db
      .select()
      .from(jobs)
      .where(and(eq(jobs.workspaceId, "wks_none")))
      .orderBy(desc(jobs.id))
      .limit(51);
    return Response.json({ items: rows, nextCursor: null });
  },
};
