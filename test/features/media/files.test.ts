/** Files: reading, naming and deleting them. */
import { beforeAll, describe, expect, it } from "vitest";
import { runJob } from "#app/run-job";
import { getFile, guardFile, isGuardFailure, listFilesById } from "#features/media/service";
import { bindings, type Person, systemContext } from "#test/support/harness";
import { countAudits, held, newOwner, personContext, runJobs, storedKeys, uploadFile, wav } from "./support.ts";

let person: Person;
let stranger: Person;

beforeAll(async () => {
  person = await newOwner();
  stranger = await newOwner();
});

const png = new Uint8Array([
  0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1,
]);

/** A conversion as its feature stores it, with a job that waits far in the future. */
async function addConversion(
  owner: Person,
  uses: { inputFileId?: string; sourceFileIds?: string[] },
): Promise<{ id: string; jobId: string }> {
  const id = `conv_${crypto.randomUUID()}`;
  const jobId = `job_${crypto.randomUUID()}`;
  const far = Date.now() + 3_600_000;
  await bindings.DB.batch([
    bindings.DB.prepare(
      "insert into jobs (id, workspace_id, name, lane, payload, state, max_attempts, run_at, created_at, updated_at) values (?1, ?2, 'conversions.test', 'conversion', '{}', 'scheduled', 1, ?3, ?3, ?3)",
    ).bind(jobId, owner.workspaceId, far),
    bindings.DB.prepare(
      "insert into conversions (id, workspace_id, user_id, conversion_type, job_id, input_file_id, source_file_ids, input_file_name, created_at) values (?1, ?2, ?3, 'image-to-audio', ?4, ?5, ?6, 'x', ?7)",
    ).bind(
      id,
      owner.workspaceId,
      owner.userId,
      jobId,
      uses.inputFileId ?? null,
      uses.sourceFileIds ? JSON.stringify(uses.sourceFileIds) : null,
      far,
    ),
  ]);
  return { id, jobId };
}

describe("reading", () => {
  it("lists newest first, by kind and origin, and one by one", async () => {
    const owner = await newOwner();
    const first = await uploadFile(owner, wav(100));
    const second = await uploadFile(owner, png, { fileName: "p.png", contentType: "image/png" });
    const third = await uploadFile(owner, wav(120, 2));
    const idsOf = async (query: string) =>
      (await owner.call("GET", `/v1/files${query}`)).body.items.map((item: { id: string }) => item.id);
    expect((await idsOf("")).toSorted()).toEqual([first.id, second.id, third.id].toSorted());
    expect(await idsOf("?kind=image")).toEqual([second.id]);
    expect(await idsOf("?origin=opened")).toEqual([]);
    const page = await owner.call("GET", "/v1/files?limit=2");
    const rest = await idsOf(`?limit=2&cursor=${page.body.nextCursor}`);
    expect(new Set([...page.body.items.map((item: { id: string }) => item.id), ...rest]).size).toBe(3);
    expect((await owner.call("GET", "/v1/files?cursor=nonsense")).body.code).toBe("invalid-cursor");
    const one = await owner.call("GET", `/v1/files/${second.id}`);
    expect(one.body).toMatchObject({
      kind: "image",
      sizeBytes: png.length,
      links: { self: `/v1/files/${second.id}`, content: `/v1/files/${second.id}/content` },
    });
  });

  it("answers strangers and unknown ids alike", async () => {
    const { id } = await uploadFile(person, wav(100));
    for (const target of [id, "file_00000000000000000000000000"]) {
      const answers = await Promise.all([
        stranger.call("GET", `/v1/files/${target}`),
        stranger.call("GET", `/v1/files/${target}/content`),
        stranger.call("PATCH", `/v1/files/${target}`, { body: { name: "x.wav" } }),
        stranger.call("DELETE", `/v1/files/${target}`),
      ]);
      for (const answer of answers) expect([answer.status, answer.body.code]).toEqual([404, "file-not-found"]);
    }
  });

  it("lets a key with files:read read and nothing else", async () => {
    const { id } = await uploadFile(person, wav(100));
    const { body } = await person.call("POST", "/v1/api-keys", { body: { name: "reader", scopes: ["files:read"] } });
    const as = body.key as string;
    expect((await person.call("GET", `/v1/files/${id}`, { as })).status).toBe(200);
    for (const [method, path] of [
      ["DELETE", `/v1/files/${id}`],
      ["PATCH", `/v1/files/${id}`],
      ["POST", "/v1/uploads"],
    ] as const) {
      expect(await person.call(method, path, { as, body: {} })).toMatchObject({
        status: 403,
        body: { code: "permission-denied", requiredPermission: "files:write" },
      });
    }
  });

  it("gives other features files by id, or tells which is not there", async () => {
    const [a, b] = [await uploadFile(person, wav(100)), await uploadFile(person, wav(200))];
    const ctx = personContext(person);
    expect((await listFilesById(ctx, [b.id, a.id, b.id])).map((row) => row.id)).toEqual([b.id, a.id]);
    await expect(listFilesById(ctx, [a.id, "file_unknown"])).rejects.toMatchObject({ code: "file-not-found" });
    await expect(getFile(personContext(stranger), a.id)).rejects.toMatchObject({ code: "file-not-found" });
    expect(await listFilesById(ctx, [])).toEqual([]);
  });
});

describe("renaming", () => {
  it("keeps the new name clean and the extension true", async () => {
    const { id } = await uploadFile(person, wav(100));
    const renamed = await person.call("PATCH", `/v1/files/${id}`, { body: { name: "../../Interview\u202e №2.WAV" } });
    expect(renamed).toMatchObject({ status: 200, body: { name: "Interview №2.WAV" } });
    for (const [name, code] of [
      ["interview.png", "file-type-mismatch"],
      ["interview", "file-type-unsupported"],
      ["", "validation-failed"],
    ]) {
      expect((await person.call("PATCH", `/v1/files/${id}`, { body: { name } })).body.code).toBe(code);
    }
    expect((await person.call("GET", `/v1/files/${id}`)).body.name).toBe("Interview №2.WAV");
  });
});

describe("deleting", () => {
  it("hides the file and frees the quota at once, and keeps the bytes for 30 days", async () => {
    const owner = await newOwner();
    const { id, r2Key } = await uploadFile(owner, wav(5_000));
    expect((await owner.call("DELETE", `/v1/files/${id}`)).status).toBe(204);
    for (const path of [`/v1/files/${id}`, `/v1/files/${id}/content`])
      expect((await owner.call("GET", path)).status).toBe(404);
    expect((await owner.call("DELETE", `/v1/files/${id}`)).body.code).toBe("file-not-found");
    expect((await owner.call("GET", "/v1/files")).body.items).toEqual([]);
    expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
    expect(await storedKeys(owner)).toEqual([r2Key]);
    const purge = await bindings.DB.prepare(
      "select state, run_at as runAt from jobs where workspace_id = ? and name = 'media.purge-file'",
    )
      .bind(owner.workspaceId)
      .first<{ state: string; runAt: number }>();
    expect(purge?.state).toBe("scheduled");
    expect((purge?.runAt ?? 0) - Date.now()).toBeGreaterThan(29.9 * 24 * 3_600_000);
  });

  it("happens once when it is asked for at once", async () => {
    const owner = await newOwner();
    const { id } = await uploadFile(owner, wav(500));
    const answers = await Promise.all([1, 2, 3].map(() => owner.call("DELETE", `/v1/files/${id}`)));
    expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([204, 404, 404]);
    expect(await countAudits("file.delete", owner)).toBe(1);
  });

  it.each(["inputFileId", "sourceFileIds"])(
    "is refused while a conversion reads the file (%s), unless forced",
    async (member) => {
      const { id } = await uploadFile(person, wav(100));
      const conversion = await addConversion(
        person,
        member === "inputFileId" ? { inputFileId: id } : { sourceFileIds: ["file_other", id] },
      );
      expect(await person.call("DELETE", `/v1/files/${id}`)).toMatchObject({
        status: 409,
        body: { code: "file-in-use", references: [{ kind: "conversion", id: conversion.id }] },
      });
      expect((await person.call("GET", `/v1/files/${id}`)).status).toBe(200);
      expect((await person.call("DELETE", `/v1/files/${id}?force=true`)).status).toBe(204);
    },
  );

  it("is allowed when the conversion has ended, and is another's no obstacle", async () => {
    const { id } = await uploadFile(person, wav(100));
    const { jobId } = await addConversion(person, { inputFileId: id });
    await addConversion(stranger, { inputFileId: id });
    await bindings.DB.prepare("update jobs set state = 'succeeded', ended_at = 1 where id = ?").bind(jobId).run();
    expect((await person.call("DELETE", `/v1/files/${id}`)).status).toBe(204);
  });

  it("guards what depends on a file", async () => {
    const { id } = await uploadFile(person, wav(100));
    const ctx = personContext(person);
    await ctx.db.batch([guardFile(ctx, person.workspaceId, id)]);
    await person.call("DELETE", `/v1/files/${id}`);
    const error = await ctx.db.batch([guardFile(ctx, person.workspaceId, id)]).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(isGuardFailure(error)).toBe(true);
  });
});

describe("purging", () => {
  const purgeJobOf = async (owner: Person) =>
    (
      await bindings.DB.prepare("select id from jobs where workspace_id = ? and name = 'media.purge-file'")
        .bind(owner.workspaceId)
        .first<{ id: string }>()
    )?.id ?? "";
  const makeDue = (owner: Person) =>
    bindings.DB.batch([
      bindings.DB.prepare("update files set deleted_at = deleted_at - 32 * 86400000 where workspace_id = ?").bind(
        owner.workspaceId,
      ),
      bindings.DB.prepare(
        "update jobs set state = 'queued', run_at = 1 where workspace_id = ? and name = 'media.purge-file' and state = 'scheduled'",
      ).bind(owner.workspaceId),
    ]);

  it("removes the bytes when their time has come, and only then", async () => {
    const owner = await newOwner();
    const { id, r2Key } = await uploadFile(owner, wav(5_000));
    await owner.call("DELETE", `/v1/files/${id}`);
    await bindings.DB.prepare("update jobs set state = 'queued', run_at = 1 where id = ?")
      .bind(await purgeJobOf(owner))
      .run();
    await runJob(systemContext(), await purgeJobOf(owner));
    expect(await storedKeys(owner)).toEqual([r2Key]);
    await bindings.DB.prepare("delete from jobs where workspace_id = ?").bind(owner.workspaceId).run();
    await makeDue(owner);
    const { default: media } = await import("#features/media/index");
    await media.schedules?.find((schedule) => schedule.name === "media.purge-overdue")?.run(systemContext());
    const [ended] = await runJobs("media.purge-file", owner);
    expect(ended).toMatchObject({ state: "succeeded", result: '{"purged":true}' });
    expect(await storedKeys(owner)).toEqual([]);
    expect(await countAudits("file.purge", owner)).toBe(1);
  });

  it("repeats harmlessly", async () => {
    const owner = await newOwner();
    const { id } = await uploadFile(owner, wav(5_000));
    await owner.call("DELETE", `/v1/files/${id}`);
    await makeDue(owner);
    await runJobs("media.purge-file", owner);
    await bindings.DB.prepare("update jobs set state = 'queued', ended_at = null where id = ?")
      .bind(await purgeJobOf(owner))
      .run();
    const [ended] = await runJobs("media.purge-file", owner);
    expect(ended).toMatchObject({ state: "succeeded", result: '{"purged":false}' });
    expect(await countAudits("file.purge", owner)).toBe(1);
  });
});
