/** Companion's calls as Uppy makes them: what they answer, what a ticket opens, and that what is refused changes nothing. */
import { SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { outboundOf } from "#adapters/outbound";
import { listStoredParts, requireUpload } from "#features/media/service";
import { readPartList } from "#features/media/stored-parts";
import { signTicket } from "#features/uppy/ticket";
import { forgetAllMemberships } from "#features/workspaces/service";
import { bindings, call, type Person, systemContext } from "#test/support/harness";
import {
  countAudits,
  countRows,
  held,
  mebibyte,
  newOwner,
  personContext,
  runJobs,
  runSchedule,
  letExpire,
  sha256,
  storedKeys,
  storedUpload,
  wav,
} from "../media/support.ts";
import { begin, newTicket, on, sendParts, type Ticket } from "./support.ts";

let owner: Person;
let ticket: Ticket;

beforeAll(async () => {
  owner = await newOwner();
  ticket = await newTicket(owner, { maxBytes: 20 * mebibyte, maxFiles: 50, accept: ["audio/*", "image/png"] });
});

describe("createUploadTicket", () => {
  it("answers the endpoint that Uppy is given, and keeps an audit entry", async () => {
    const person = await newOwner();
    const { status, body } = await person.call("POST", "/v1/upload-tickets", {
      body: { accept: ["audio/x-wav", "AUDIO/WAV", "image/*"], ttlSeconds: 60 },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ accept: ["audio/wav", "image/*"], maxFiles: 1, maxBytes: 524_288_000 });
    expect(body.uppyEndpoint.endsWith(`/v1/uppy/${body.ticket}`)).toBe(true);
    expect(Math.abs(Date.parse(body.expiresAt) - Date.now() - 60_000)).toBeLessThan(5_000);
    expect(await countAudits("upload.ticket", person)).toBe(1);
  });

  it.each([
    [{ accept: ["text/html"] }, 415, "file-type-unsupported"],
    [{ maxBytes: 524_288_001 }, 422, "validation-failed"],
    [{ maxFiles: 0 }, 422, "validation-failed"],
    [{ ttlSeconds: 21_601 }, 422, "validation-failed"],
    [{ workspaceId: "wks_00000000000000000000000000" }, 404, "workspace-not-found"],
  ])("refuses %j", async (body, status, code) => {
    expect(await owner.call("POST", "/v1/upload-tickets", { body })).toMatchObject({ status, body: { code } });
  });
});

describe("an upload by ticket", () => {
  it.each([
    ["Uppy 6, tags without quotes", (etag: string) => etag],
    ["Uppy 5, tags with quotes", (etag: string) => `"${etag}"`],
  ])("becomes a verified file (%s)", async (_, asTold) => {
    const person = await newOwner();
    const own = await newTicket(person, { maxBytes: 16 * mebibyte });
    const bytes = wav(12 * mebibyte + 77);
    const begun = await begin(own);
    expect(begun.status).toBe(200);
    expect(begun.body).toEqual({
      key: expect.stringMatching(/^w\/wks_\w+\/u\/upl_\w+\/take\.wav$/),
      uploadId: expect.stringMatching(/^upl_/),
      bucket: "media",
    });
    expect(await held(person)).toEqual({ used: 0, reserved: 16 * mebibyte });
    const signed = await on(own, "GET", begun.body, "/2");
    expect(signed.body).toMatchObject({ method: "PUT", headers: {} });
    const url = new URL(signed.body.url);
    expect([url.searchParams.get("partNumber"), url.searchParams.get("X-Amz-SignedHeaders")]).toEqual(["2", "host"]);
    expect(signed.body.expires).toBeGreaterThan(3_500);
    const batch = await on(own, "GET", begun.body, "/batch?partNumbers=1,3");
    expect(Object.keys(batch.body.presignedUrls)).toEqual(["1", "3"]);
    expect((await on(own, "GET", begun.body)).body).toEqual([]);

    const parts = (await sendParts(begun.body, bytes, 5 * mebibyte)).map(({ PartNumber, ETag }) => ({
      PartNumber,
      ETag: asTold(ETag),
    }));
    const first = await on(own, "POST", begun.body, "/complete", { parts });
    expect(first.status, JSON.stringify(first.body)).toBe(200);
    expect(first.body).toMatchObject({ key: begun.body.key, bucket: "media" });
    expect(first.body.location).toContain(`/v1/files/${first.body.fileId}/content`);
    expect((await on(own, "POST", begun.body, "/complete", { parts })).body).toEqual(first.body);
    const file = await person.call("GET", `/v1/files/${first.body.fileId}`);
    expect(file.body).toMatchObject({ sizeBytes: bytes.length, sha256: await sha256(bytes), contentType: "audio/wav" });
    expect(await held(person)).toEqual({ used: bytes.length, reserved: 0 });
    const upload = await person.call("GET", `/v1/uploads/${begun.body.uploadId}`);
    expect(upload.body).toMatchObject({ status: "ready", strategy: "unsized", sizeBytes: bytes.length });
  });

  it("reserves what the app says in metadata.size, and takes a file without a type by its name", async () => {
    const person = await newOwner();
    const own = await newTicket(person);
    const begun = await begin(own, { type: "application/octet-stream", metadata: { size: "3000", any: { of: 1 } } });
    expect(await held(person)).toEqual({ used: 0, reserved: 3_000 });
    const parts = await sendParts(begun.body, wav(2_500), 5_000);
    const done = await on(own, "POST", begun.body, "/complete", { parts });
    expect(done.status, JSON.stringify(done.body)).toBe(200);
    expect(await held(person)).toEqual({ used: 2_500, reserved: 0 });
  });

  it("is given up with an empty object, and again", async () => {
    const person = await newOwner();
    const own = await newTicket(person, { maxBytes: 1_000 });
    const { body } = await begin(own);
    const ended = await on(own, "DELETE", body);
    expect([ended.status, ended.body]).toEqual([200, {}]);
    expect((await on(own, "DELETE", body)).status).toBe(200);
    expect((await on(own, "GET", body, "/1")).body.error).toBe("upload-ended");
    expect(await held(person)).toEqual({ used: 0, reserved: 0 });
    // What was given up is no file of the ticket.
    expect((await begin(own)).status).toBe(200);
  });

  it("expires and gives its reservation back when its client never comes again", async () => {
    const person = await newOwner();
    const own = await newTicket(person, { maxBytes: 4_000 });
    const { body } = await begin(own);
    await letExpire(body.uploadId);
    await runSchedule("media.sweep-uploads");
    await runJobs("media.sweep-uploads", person);
    expect((await storedUpload(body.uploadId)).status).toBe("expired");
    expect(await held(person)).toEqual({ used: 0, reserved: 0 });
  });
});

describe("what is refused", () => {
  it("names the code and the text as Companion does", async () => {
    const { status, body, headers } = await begin({ ticket: "x", path: "/v1/uppy/x" });
    expect([status, headers.get("content-type")]).toEqual([401, "application/json"]);
    expect(body).toMatchObject({ error: "upload-ticket-invalid", message: expect.any(String) });
  });

  it("refuses forged, expired and otherwise signed tickets", async () => {
    const { settings } = systemContext();
    const claims = { sub: owner.userId, ws: owner.workspaceId, jti: "tkt_x", max: 10, n: 1, acc: [] };
    const nowMs = Date.now();
    const past = Math.floor(nowMs / 1_000) - 2;
    const expired = await signTicket(settings, { ...claims, exp: past }, nowMs - 60_000);
    const foreign = await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid: String(settings.masterKeys[0].version) })
      .setAudience("upload")
      .setExpirationTime("1h")
      .sign(new Uint8Array(32));
    const [head = "", , mac = ""] = ticket.ticket.split(".");
    const changed = `${head}.${btoa(JSON.stringify({ ...claims, aud: "upload", exp: nowMs })).replaceAll("=", "")}.${mac}`;
    const codes = await Promise.all(
      [expired, foreign, changed].map(
        async (text) => (await begin({ ticket: text, path: `/v1/uppy/${text}` })).body.error,
      ),
    );
    expect(codes).toEqual(["upload-ticket-expired", "upload-ticket-invalid", "upload-ticket-invalid"]);
  });

  it("refuses the ticket of somebody who may not upload there any more", async () => {
    const person = await newOwner();
    const own = await newTicket(person);
    const { body } = await begin(own, { metadata: { size: 100 } });
    await bindings.DB.prepare("update workspace_members set role = 'viewer' where workspace_id = ?")
      .bind(person.workspaceId)
      .run();
    forgetAllMemberships();
    expect((await on(own, "GET", body, "/1")).body.error).toBe("upload-ticket-invalid");
    await bindings.DB.prepare("delete from workspace_members where workspace_id = ?").bind(person.workspaceId).run();
    forgetAllMemberships();
    expect(await on(own, "GET", body, "/1")).toMatchObject({ status: 401, body: { error: "upload-ticket-invalid" } });
  });

  it.each([
    ["a type that the ticket is not for", { filename: "take.mp4", type: "video/mp4" }, "file-type-unsupported"],
    ["a type that the product does not take", { filename: "take.exe", type: "audio/wav" }, "file-type-unsupported"],
    ["a name of another type", { filename: "take.png" }, "file-type-mismatch"],
    ["a declared size above the ticket", { metadata: { size: 20 * mebibyte + 1 } }, "file-too-large"],
  ])("refuses %s", async (_, file, code) => {
    const before = await held(owner);
    const { body } = await begin(ticket, file);
    expect(body.error).toBe(code);
    expect([await held(owner), await countRows("uploads", owner)]).toEqual([before, 0]);
  });

  it("lets exactly as many files begin as the ticket says, also at once", async () => {
    const person = await newOwner();
    const own = await newTicket(person, { maxFiles: 3, maxBytes: 1_000 });
    const begun = await Promise.all(Array.from({ length: 6 }, () => begin(own)));
    const codes = begun.map(({ status, body }) => (status === 200 ? "begun" : body.error)).sort();
    expect(codes).toEqual(["begun", "begun", "begun", ...Array.from({ length: 3 }, () => "upload-ticket-used-up")]);
    expect(await held(person)).toEqual({ used: 0, reserved: 3_000 });
  });

  it("knows no upload of another ticket, another workspace or another key", async () => {
    const other = await newTicket(owner);
    const stranger = await newTicket(await newOwner());
    const { body } = await begin(ticket, { metadata: { size: 100 } });
    const answers = await Promise.all([
      on(other, "GET", body, "/1"),
      on(stranger, "GET", body, "/1"),
      on(ticket, "GET", { ...body, key: `${body.key}x` }, "/1"),
      on(ticket, "GET", { ...body, uploadId: "upl_00000000000000000000000000" }, "/1"),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ status: 404, body: { error: "upload-not-found" } });
    expect((await on(ticket, "DELETE", body)).status).toBe(200);
  });

  it.each(["/0", "/10001", "/x", "/batch?partNumbers=0", "/batch?partNumbers=1,,2"])(
    "refuses part %s",
    async (rest) => {
      const { body } = await begin(ticket, { metadata: { size: 100 } });
      const answer = await on(ticket, "GET", body, rest);
      expect([answer.status, ["validation-failed", "part-invalid"].includes(answer.body.error)]).toEqual([422, true]);
      await on(ticket, "DELETE", body);
    },
  );

  it("keeps an upload open whose complete names wrong tags or leaves parts out", async () => {
    const person = await newOwner();
    const own = await newTicket(person);
    const { body } = await begin(own, { metadata: { size: 11 * mebibyte } });
    const bytes = wav(11 * mebibyte);
    const parts = await sendParts(body, bytes, 5 * mebibyte);
    const wrong = parts.map((part) => ({ ...part, ETag: "0".repeat(32) }));
    expect((await on(own, "POST", body, "/complete", { parts: wrong })).body.error).toBe("part-invalid");
    expect((await on(own, "POST", body, "/complete", { parts: parts.slice(1) })).body).toMatchObject({
      error: "parts-missing",
      missing: [1],
    });
    const zero = [{ PartNumber: 0, ETag: "x" }];
    expect((await on(own, "POST", body, "/complete", { parts: zero })).body.error).toBe("validation-failed");
    expect((await storedUpload(body.uploadId)).status).toBe("uploading");
    expect((await on(own, "POST", body, "/complete", { parts })).status).toBe(200);
  });

  it.each([
    ["more bytes than were allowed", wav(3_001), {}, "file-too-large"],
    ["bytes of another type", new TextEncoder().encode("hello ".repeat(100)), {}, "file-type-mismatch"],
  ])("removes %s", async (_, bytes, file, code) => {
    const person = await newOwner();
    const own = await newTicket(person, { maxBytes: 3_000 });
    const { body } = await begin(own, file);
    const parts = await sendParts(body, bytes, 10_000);
    expect((await on(own, "POST", body, "/complete", { parts })).body.error).toBe(code);
    expect([await storedKeys(person), await countRows("files", person)]).toEqual([[], 0]);
    expect(await held(person)).toEqual({ used: 0, reserved: 0 });
  });
});

describe("the parts in storage", () => {
  const xml = `<?xml version="1.0"?><ListPartsResult><UploadId>u</UploadId>
    <Part><PartNumber>2</PartNumber><ETag>&quot;b&quot;</ETag><Size>7</Size></Part>
    <Part><PartNumber>1</PartNumber><ETag>"a"</ETag><Size>5242880</Size></Part><Part><PartNumber>x</PartNumber></Part>
    </ListPartsResult>`;

  it("are read from storage's own list", async () => {
    const { body } = await begin(ticket, { metadata: { size: 100 } });
    const asked: string[] = [];
    const ctx = personContext(owner);
    ctx.outbound = outboundOf(ctx.settings, async (request) => {
      asked.push(new URL(typeof request === "string" ? request : request.url).search);
      return new Response(xml);
    });
    const upload = await requireUpload(ctx, body.uploadId);
    expect(await listStoredParts(ctx, upload)).toEqual([
      { partNumber: 1, etag: "a", sizeBytes: 5_242_880 },
      { partNumber: 2, etag: "b", sizeBytes: 7 },
    ]);
    expect(asked[0]).toContain(`uploadId=${encodeURIComponent(upload.r2UploadId ?? "")}`);
    await on(ticket, "DELETE", body);
  });

  it("are not read from anything else", () => {
    expect(readPartList("<Error><Code>NotImplemented</Code></Error>")).toBeNull();
  });
});

describe("cross-origin calls", () => {
  it("are for the origins of the list, with Uppy's headers", async () => {
    const listed = "https://app.example.com";
    const env = { ...bindings, ALLOWED_ORIGINS: listed };
    const preflight = (origin: string) =>
      call("OPTIONS", `${ticket.path}/s3/multipart`, {
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
        env,
      });
    const { headers } = await preflight(listed);
    expect(headers.get("access-control-allow-origin")).toBe(listed);
    expect(headers.get("access-control-allow-headers")).toContain("uppy-auth-token, uppy-credentials-params");
    expect((await preflight("https://elsewhere.example")).headers.get("access-control-allow-origin")).toBeNull();
  });
});
