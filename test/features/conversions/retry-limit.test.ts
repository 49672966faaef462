/** A conversion that is retried is a conversion: cancelling and retrying must not be a way around the plan's limit. */
import { describe, expect, it } from "vitest";
import { bindings, signUp } from "#test/support/harness";
import { storeFile, wav } from "./support.ts";

describe("the limit on conversions", () => {
  it("counts retries", async () => {
    const person = await signUp();
    // The free plan has ten an hour. Its messages are dropped: nothing runs it, so that it can be cancelled each time.
    const env = { ...bindings, CONVERSION_QUEUE: { send: async () => undefined } as never };
    const fileId = await storeFile(person, "tone.wav", wav(500));
    const started = await person.call("POST", "/v1/convert/audio-to-image", { body: { fileId }, env });
    expect(started.status).toBe(202);
    const job = `/v1/jobs/${started.body.jobId}`;
    for (let retries = 0; retries < 9; retries += 1) {
      expect((await person.call("POST", `${job}/cancel`, { env })).body.state).toBe("cancelled");
      expect((await person.call("POST", `${job}/retry`, { env })).status).toBe(202);
    }
    await person.call("POST", `${job}/cancel`, { env });
    expect(await person.call("POST", `${job}/retry`, { env })).toMatchObject({
      status: 429,
      body: { code: "rate-limited", limit: "conversions" },
    });
    // Refused, and nothing changed.
    expect((await person.call("GET", job)).body.state).toBe("cancelled");
  });
});
