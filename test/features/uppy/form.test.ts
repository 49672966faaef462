/** Small files by Uppy's form: the fields that it is told, the file that comes of it, and what is refused. */
import { describe, expect, it } from "vitest";
import { call } from "#test/support/harness";
import { countRows, held, mebibyte, newOwner, sha256, storedKeys, wav } from "../media/support.ts";
import { newTicket, type Ticket } from "./support.ts";

const params = ({ path }: Ticket, query = "filename=my+take.wav&type=audio/wav&metadata%5Bname%5D=x") =>
  call("GET", `${path}/s3/params?${query}`);

function post({ path }: Ticket, fields: Record<string, string>, bytes: Uint8Array<ArrayBuffer>, name = "my take.wav") {
  const form = new FormData();
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  form.append("file", new Blob([bytes], { type: "audio/wav" }), name);
  return call("POST", `${path}/form`, { body: form });
}

describe("a form by ticket", () => {
  it("becomes a file, and the same one again", async () => {
    const owner = await newOwner();
    const ticket = await newTicket(owner, { accept: ["audio/*"] });
    const { status, body } = await params(ticket);
    expect(status).toBe(200);
    expect(body).toMatchObject({ method: "POST", fields: { "content-type": "audio/wav" } });
    expect(new URL(body.url).pathname).toBe(`${ticket.path}/form`);
    expect(body.expires).toBeGreaterThan(3_500);
    const bytes = wav(30_000);
    const first = await post(ticket, body.fields, bytes);
    expect(first.status, JSON.stringify(first.body)).toBe(201);
    expect(first.headers.get("location")).toBe(first.body.location);
    expect(first.headers.get("etag")).toBe(`"${await sha256(bytes)}"`);
    expect(first.body.key).toBe(body.fields.key);
    expect((await post(ticket, body.fields, bytes)).body).toEqual(first.body);
    expect(await countRows("files", owner)).toBe(1);
    expect(await held(owner)).toEqual({ used: bytes.length, reserved: 0 });
    expect((await owner.call("GET", `/v1/files/${first.body.fileId}`)).body).toMatchObject({ name: "my take.wav" });
  });

  it("counts against the files of the ticket", async () => {
    const owner = await newOwner();
    const ticket = await newTicket(owner, { maxFiles: 1 });
    const [one, two] = await Promise.all([params(ticket), params(ticket)]);
    expect((await post(ticket, one.body.fields, wav(500))).status).toBe(201);
    const refused = await post(ticket, two.body.fields, wav(600));
    expect(refused).toMatchObject({ status: 409, body: { error: "upload-ticket-used-up" } });
    expect(await held(owner)).toEqual({ used: 500, reserved: 0 });
  });

  it.each([
    ["filename=take.mp4&type=video/mp4", "file-type-unsupported"],
    ["filename=take.wav&type=audio/wav&metadata%5Bsize%5D=20971521", "file-too-large"],
    ["type=audio/wav", "validation-failed"],
  ])("is not offered for %s", async (query, code) => {
    const ticket = await newTicket(await newOwner(), { accept: ["audio/*"] });
    expect((await params(ticket, query)).body.error).toBe(code);
  });

  it.each([
    [
      "a key of another workspace",
      { key: "w/wks_x/u/upl_00000000000000000000000000/take.wav" },
      wav(500),
      "form-invalid",
    ],
    ["a key that nobody gave", { key: "../take.wav" }, wav(500), "form-invalid"],
    ["no bytes", {}, new Uint8Array(), "file-empty"],
    ["more than the ticket allows", {}, wav(3 * mebibyte), "file-too-large"],
    ["a type that the ticket is not for", { "content-type": "audio/mpeg" }, wav(500), "file-type-mismatch"],
    ["bytes of another type", {}, Uint8Array.from(new TextEncoder().encode("hello ".repeat(50))), "file-type-mismatch"],
  ])("refuses %s, and nothing is left", async (_, change, bytes, code) => {
    const owner = await newOwner();
    const ticket = await newTicket(owner, { maxBytes: 2 * mebibyte, accept: ["audio/*"] });
    const { body } = await params(ticket);
    expect((await post(ticket, { ...body.fields, ...change }, bytes)).body.error).toBe(code);
    expect([await storedKeys(owner), await countRows("files", owner)]).toEqual([[], 0]);
    expect(await held(owner)).toEqual({ used: 0, reserved: 0 });
  });
});
