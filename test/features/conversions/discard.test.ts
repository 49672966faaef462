/** Files that a conversion brought along are deleted behind it, but never under another conversion that has just begun to read them. */
import { describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { discardFile } from "#features/conversions/jobs/discard-file";
import { bindings, signUp, systemContext } from "#test/support/harness";
import { storeFile, wav } from "./support.ts";

/** The database, of which the first batch lets something else happen before it. */
function beforeFirstBatch(work: () => Promise<unknown>): D1Database {
  let isFirst = true;
  return new Proxy(bindings.DB, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (name !== "withSession") return typeof value === "function" ? value.bind(target) : value;
      return (constraint: string) => {
        const session = target.withSession(constraint);
        const batch = async (statements: D1PreparedStatement[]) => {
          if (isFirst) {
            isFirst = false;
            await work();
          }
          return session.batch(statements);
        };
        return { prepare: (query: string) => session.prepare(query), getBookmark: () => session.getBookmark(), batch };
      };
    },
  });
}

describe("discarding a file", () => {
  it("leaves it when a conversion begins between the look and the deletion", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(500));
    const ctx = systemContext();
    const row = discardFile.row({ ...ctx, workspaceId: person.workspaceId }, { fileId });
    await ctx.db.batch([row.statement as never]);
    let begun = 0;
    // Its message is dropped: nothing ends the conversion before the file would go.
    const env = { ...bindings, CONVERSION_QUEUE: { send: async () => undefined } as never };
    const begin = async () => {
      begun = (await person.call("POST", "/v1/convert/audio-to-image", { body: { fileId }, env })).status;
    };
    await runJob(systemContext({ DB: beforeFirstBatch(begin) }), row.jobId);
    expect(begun).toBe(202);
    expect((await person.call("GET", `/v1/files/${fileId}`)).status).toBe(200);
    expect((await person.call("GET", `/v1/jobs/${row.jobId}`)).body).toMatchObject({
      state: "succeeded",
      result: { deleted: false },
    });
  });

  it("deletes one that nothing reads", async () => {
    const person = await signUp();
    const fileId = await storeFile(person, "tone.wav", wav(500));
    const ctx = systemContext();
    const row = discardFile.row({ ...ctx, workspaceId: person.workspaceId }, { fileId });
    await ctx.db.batch([row.statement as never]);
    await runJob(systemContext(), row.jobId);
    expect((await person.call("GET", `/v1/files/${fileId}`)).status).toBe(404);
    expect((await person.call("GET", `/v1/jobs/${row.jobId}`)).body).toMatchObject({
      state: "succeeded",
      result: { deleted: true },
    });
  });
});
