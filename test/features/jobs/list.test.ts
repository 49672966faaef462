/** The list of jobs: what people and keys asked for; what follows from that is there for whoever asks for it. */
import { describe, expect, it } from "vitest";
import { commitWithJobs, type Enqueued } from "#core/job";
import { sealAudio } from "#features/conversions/jobs/seal-audio";
import { discardFile } from "#features/conversions/jobs/discard-file";
import { rewrapDataKeys } from "#features/secrets/jobs/rewrap-data-keys";
import { deliverJob } from "#features/webhooks/jobs/deliver";
import { actAs, quietContext } from "#test/features/secrets/acting";
import { type Person, signUp } from "#test/support/harness";

async function keep(enqueued: Enqueued[]): Promise<string[]> {
  await commitWithJobs(quietContext(), [], enqueued);
  return enqueued.map(({ jobId }) => jobId);
}

/** One job that the person asked for, and three that they did not. */
async function fill(person: Person) {
  const ctx = actAs(person);
  const byNobody = rewrapDataKeys.row(
    { ...quietContext(), workspaceId: person.workspaceId },
    { encryptionKeyId: "key_unknown" },
  );
  const [asked = "", ...others] = await keep([
    sealAudio.row(ctx, { conversionId: "conv_unknown" }),
    deliverJob.row(ctx, { deliveryId: "dlv_unknown" }),
    discardFile.row(ctx, { fileId: "file_unknown" }),
    byNobody,
  ]);
  return { asked, others };
}

const idsOf = async (person: Person, query: string): Promise<string[]> => {
  const { status, body } = await person.call("GET", `/v1/jobs${query}`);
  expect(status).toBe(200);
  return body.items.map(({ id }: { id: string }) => id);
};

describe("the list of jobs", () => {
  it("shows what a person asked for, and on demand what followed from it", async () => {
    const person = await signUp();
    const { asked, others } = await fill(person);
    expect(await idsOf(person, "")).toEqual([asked]);
    expect(await idsOf(person, "?include=asked&state=queued")).toEqual([asked]);
    expect((await idsOf(person, "?include=all")).sort()).toEqual([asked, ...others].sort());
    expect(await idsOf(person, "?kind=webhooks.deliver")).toEqual([others[0]]);
    expect(await idsOf(person, "?kind=conversions.discard-file&include=asked")).toEqual([others[1]]);
    expect(await idsOf(person, "?kind=nothing.of-the-kind")).toEqual([]);
    expect((await person.call("GET", "/v1/jobs?include=mine")).status).toBe(422);
  });

  it("goes through its pages without those that are left out", async () => {
    const person = await signUp();
    const first = await fill(person);
    const second = await fill(person);
    const page = await person.call("GET", "/v1/jobs?limit=1");
    expect(page.body.items.map(({ id }: { id: string }) => id)).toEqual([second.asked]);
    const rest = await person.call("GET", `/v1/jobs?limit=1&cursor=${page.body.nextCursor}`);
    expect(rest.body).toMatchObject({ items: [{ id: first.asked }], nextCursor: null });
  });

  it("leaves each of them readable by its id, in its own workspace only", async () => {
    const person = await signUp();
    const stranger = await signUp();
    const { asked, others } = await fill(person);
    for (const id of [asked, ...others]) {
      expect((await person.call("GET", `/v1/jobs/${id}`)).body).toMatchObject({ id });
      expect(await stranger.call("GET", `/v1/jobs/${id}`)).toMatchObject({ status: 404 });
    }
    expect(await idsOf(stranger, "?include=all")).toEqual([]);
  });
});
