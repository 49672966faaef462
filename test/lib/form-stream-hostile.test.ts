import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countedStream, noise, streamOf } from "./byte-streams.ts";
import { boundary, field, file, formOf, read, readAll, readRaw, reasonOf, text } from "./form-sender.ts";

describe("limits", () => {
  it("hold exactly", async () => {
    expect(await reasonOf(read(formOf([file("f", "a", noise(10))]), { maxFileBytes: 10 }))).toBe("no error");
    expect(await reasonOf(read(formOf([file("f", "a", noise(11))]), { maxFileBytes: 10 }))).toBe("file-too-large");
    expect(await reasonOf(read(formOf([field("f", "x".repeat(65_536))])))).toBe("no error");
    expect(await reasonOf(read(formOf([field("f", "x".repeat(65_537))])))).toBe("field-too-large");
    const fields = (count: number) => Array.from({ length: count }, (_, index) => field(`f${index}`, ""));
    expect(await reasonOf(read(formOf(fields(50))))).toBe("no error");
    expect(await reasonOf(read(formOf(fields(51))))).toBe("too-many-fields");
    const files = (count: number) => Array.from({ length: count }, (_, index) => file(`f${index}`, "a", noise(1)));
    expect(await reasonOf(read(formOf(files(10))))).toBe("no error");
    expect(await reasonOf(read(formOf(files(11))))).toBe("too-many-files");
    const head = (sizeBytes: number) => {
      const { head: usual, body } = field("a", "1");
      const padding = sizeBytes - usual.length - "\r\n".length * 2 - "x: ".length;
      return [{ head: `${usual}\r\nx: ${"y".repeat(padding)}`, body }];
    };
    expect(await reasonOf(read(formOf(head(1_000)), { maxHeaderBytes: 1_000 }))).toBe("no error");
    expect(await reasonOf(read(formOf(head(1_001)), { maxHeaderBytes: 1_000 }))).toBe("header-too-large");
  });

  it("stop a header without end early", async () => {
    const { stream, pulled } = countedStream([
      text(`--${boundary}\r\n`),
      ...Array.from({ length: 1_000 }, () => text("x".repeat(1_000))),
    ]);
    expect(await reasonOf(readAll(stream))).toBe("header-too-large");
    expect(pulled()).toBeLessThan(20);
  });

  it("stop a preamble without end early", async () => {
    const { stream, pulled } = countedStream(Array.from({ length: 1_000 }, () => noise(1_000)));
    expect(await reasonOf(readAll(stream))).toBe("boundary-missing");
    expect(pulled()).toBeLessThan(70);
  });
});

describe("malformed forms", () => {
  it.each([
    [null, "not-multipart"],
    ["", "not-multipart"],
    ["application/json", "not-multipart"],
    ["multipart/mixed; boundary=x", "not-multipart"],
    ["multipart/form-datax; boundary=x", "not-multipart"],
    ["multipart/form-data", "boundary-missing"],
    ["multipart/form-data; boundary=", "boundary-missing"],
    ['multipart/form-data; boundary=""', "boundary-missing"],
    [`multipart/form-data; boundary=${"x".repeat(71)}`, "boundary-missing"],
    ['multipart/form-data; boundary="a\r\nb"', "boundary-missing"],
    ['multipart/form-data; boundary="a "', "boundary-missing"],
    ["multipart/form-data; boundary=a; boundary=b", "boundary-missing"],
    ["multipart/form-data; boundary=ä", "boundary-missing"],
    ["multipart/form-data; boundary=other", "boundary-missing"],
  ])("content type %j", async (type, reason) => {
    expect(await reasonOf(readAll(streamOf([formOf([field("a", "1")])]), type))).toBe(reason);
  });

  it.each([
    ["an empty body", "", "boundary-missing"],
    ["a boundary without its hyphens", "BOUNDARY--", "boundary-missing"],
    ["no disposition", "--BOUNDARY\r\nContent-Type: text/plain\r\n\r\n1\r\n--BOUNDARY--", "part-invalid"],
    ["no headers", "--BOUNDARY\r\n\r\n1\r\n--BOUNDARY--", "part-invalid"],
    ["no name", '--BOUNDARY\r\nContent-Disposition: form-data; filename="a"\r\n\r\n1\r\n--BOUNDARY--', "part-invalid"],
    [
      "another disposition",
      '--BOUNDARY\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--BOUNDARY--',
      "part-invalid",
    ],
    [
      "two names",
      '--BOUNDARY\r\nContent-Disposition: form-data; name="a"; name="b"\r\n\r\n1\r\n--BOUNDARY--',
      "part-invalid",
    ],
    [
      "two dispositions",
      '--BOUNDARY\r\nContent-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"\r\n\r\n1\r\n--BOUNDARY--',
      "part-invalid",
    ],
    ["an open quote", '--BOUNDARY\r\nContent-Disposition: form-data; name="a\r\n\r\n1\r\n--BOUNDARY--', "part-invalid"],
    [
      "a folded header",
      '--BOUNDARY\r\nContent-Disposition: form-data;\r\n name="a"\r\n\r\n1\r\n--BOUNDARY--',
      "part-invalid",
    ],
    [
      "a bare line feed",
      '--BOUNDARY\r\nContent-Disposition: form-data; name="a"\nX: y\r\n\r\n1\r\n--BOUNDARY--',
      "part-invalid",
    ],
    [
      "a space before the colon",
      '--BOUNDARY\r\nContent-Disposition : form-data; name="a"\r\n\r\n1\r\n--BOUNDARY--',
      "part-invalid",
    ],
    [
      "base64 content",
      '--BOUNDARY\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--BOUNDARY--',
      "part-invalid",
    ],
    [
      "more after the boundary",
      '--BOUNDARYx\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--BOUNDARY--',
      "part-invalid",
    ],
    [
      "too many headers",
      `--BOUNDARY\r\nContent-Disposition: form-data; name="a"${Array.from({ length: 40 }, (_, index) => `\r\nX${index}: y`).join("")}\r\n\r\n1\r\n--BOUNDARY--`,
      "part-invalid",
    ],
    [
      "no closing boundary",
      '--BOUNDARY\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--BOUNDARY',
      "truncated",
    ],
    ["an end inside the headers", "--BOUNDARY\r\nContent-Dis", "truncated"],
  ])("%s", async (_, body, reason) => {
    expect(await reasonOf(readRaw(body))).toBe(reason);
  });

  it("never succeed when cut short, at whatever byte", async () => {
    const bytes = formOf([field("a", "1"), file("f", "a.wav", noise(50)), field("b", "2")]);
    const complete = bytes.length - "\r\n".length;
    for (let length = 0; length < complete; length += 1) {
      expect([length, await reasonOf(read(bytes.slice(0, length)))]).toEqual([
        length,
        length < `--${boundary}`.length ? "boundary-missing" : "truncated",
      ]);
    }
    expect(await reasonOf(read(bytes.slice(0, complete)))).toBe("no error");
  });

  it("end with a reason and never hang, wherever a byte is changed", async () => {
    const bytes = formOf([field("a", "1"), file("f", "a.wav", noise(50)), field("b", "2")]);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const altered = bytes.slice();
        altered[at] = (altered[at] ?? 0) ^ change;
        expect(typeof (await reasonOf(read(altered)))).toBe("string");
      }),
      { numRuns: 300 },
    );
  });
});
