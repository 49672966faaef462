import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFormStream } from "#lib/form-stream";
import { countedStream, cutBytes, noise, present, streamOf } from "./byte-streams.ts";
import {
  boundary,
  contentType,
  field,
  file,
  firstFile,
  formOf,
  limits,
  read,
  readAll,
  readRaw,
  reasonOf,
  text,
} from "./form-sender.ts";

/** Content made of what a careless parser takes for the end of a part. */
const trap = fc.constantFrom(
  "\r\n",
  "\r",
  "\n",
  "--",
  `--${boundary}`,
  `\n--${boundary}`,
  `\r\n--${boundary.slice(0, -1)}`,
  `\r\n-`,
  `\r\r\n--${boundary.slice(0, 5)}`,
  "\r\n--",
  "\0",
  "\u00ff",
  boundary,
);
const content = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.array(trap, { maxLength: 20 }).map((pieces) => {
    const bytes = text(pieces.join(""));
    return Buffer.from(bytes).includes(`\r\n--${boundary}`) ? new Uint8Array(0) : bytes;
  }),
);
const name = fc.stringMatching(/^[a-zA-Z0-9 é語_.[\]-]{1,20}$/u);

describe("readFormStream", () => {
  it("gives every entry byte for byte, wherever the stream is cut and whatever the content looks like", async () => {
    const part = fc.oneof(
      fc.tuple(name, content).map(([partName, bytes]) => ({
        sent: { ...field(partName, ""), body: bytes },
        expected: { name: partName, value: Buffer.from(bytes).toString("utf8") },
      })),
      fc.tuple(name, name, content).map(([partName, fileName, bytes]) => ({
        sent: file(partName, fileName, bytes),
        expected: { name: partName, fileName, type: "audio/wav", bytes: new Uint8Array(bytes) },
      })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 6 }),
        fc.array(fc.nat(2_000), { maxLength: 30 }),
        async (parts, cuts) => {
          const pieces = cutBytes(formOf(parts.map(({ sent }) => sent)), cuts);
          expect(await readAll(streamOf(pieces))).toEqual(parts.map(({ expected }) => expected));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("reads byte by byte", async () => {
    const bytes = formOf([
      field("userId", "alice"),
      file("audioFile", "a.wav", text(`x\r\n--${boundary.slice(0, -1)}y`)),
      field("compress", "false"),
    ]);
    const entries = await readAll(streamOf(Array.from(bytes, (byte) => new Uint8Array([byte]))));
    expect(entries.map((entry) => entry.name)).toEqual(["userId", "audioFile", "compress"]);
    expect(entries[1]).toMatchObject({ bytes: text(`x\r\n--${boundary.slice(0, -1)}y`) });
  });

  it("agrees with the platform's own writer about names, files and line breaks", async () => {
    const form = new FormData();
    form.append("plain", "value");
    form.append("empty", "");
    form.append('na"me', "línea\r\n€");
    form.append("file", new File([noise(100_000)], "größe.wav", { type: "audio/wav" }));
    form.append("file", new File([], 'qu"ote.mp3', { type: "audio/mpeg" }));
    form.append("last", "💡");
    const response = new Response(form);
    const entries = await readAll(present(response.body), response.headers.get("content-type"));
    expect(entries).toEqual([
      { name: "plain", value: "value" },
      { name: "empty", value: "" },
      { name: 'na"me', value: "línea\r\n€" },
      { name: "file", fileName: "größe.wav", type: "audio/wav", bytes: noise(100_000) },
      { name: "file", fileName: 'qu"ote.mp3', type: "audio/mpeg", bytes: new Uint8Array(0) },
      { name: "last", value: "💡" },
    ]);
  });

  it("reads native byte streams, as request bodies are", async () => {
    const data = noise(400_000);
    const request = new Request("https://example.com/", {
      method: "POST",
      body: formOf([field("a", "1"), file("f", "a.wav", data), field("b", "2")]),
    });
    const entries = await readAll(present(request.body), contentType, { maxFileBytes: 400_000 });
    expect(entries.map((entry) => entry.name)).toEqual(["a", "f", "b"]);
    expect(entries[1]).toMatchObject({ bytes: data });
  });

  it.each([
    ["a quoted boundary", `multipart/form-data; boundary="${boundary}"`],
    ["upper case and a charset", `Multipart/Form-Data; charset=utf-8; BOUNDARY=${boundary}`],
    ["a semicolon at the end", `multipart/form-data; boundary=${boundary};`],
  ])("takes %s", async (_, type) => {
    expect(await readAll(streamOf([formOf([field("a", "1")])]), type)).toEqual([{ name: "a", value: "1" }]);
  });

  it.each([
    ["curl's escapes", 'Content-Disposition: form-data; name="f"; filename="a\\"b\\\\c.wav"', 'a"b\\c.wav'],
    [
      "browsers' escapes",
      'Content-Disposition: form-data; name="f"; filename="a%22b%0D%0Ac%41\\d.wav"',
      'a"b\r\nc%41\\d.wav',
    ],
    ["a Windows path", 'Content-Disposition: form-data; name="f"; filename="C:\\dir\\a.wav"', "C:\\dir\\a.wav"],
    ["a semicolon in the name", 'Content-Disposition: form-data; name="f"; filename="a;name=x.wav"', "a;name=x.wav"],
    ["an unquoted name", "content-disposition:form-data;name=f;filename=a.wav", "a.wav"],
    [
      "an extended name",
      'Content-Disposition: form-data; name="f"; filename="x.wav"; filename*=UTF-8\'\'gr%C3%B6%C3%9Fe.wav',
      "größe.wav",
    ],
    [
      "a broken extended name",
      'Content-Disposition: form-data; name="f"; filename="x.wav"; filename*=UTF-8\'\'%FF',
      "x.wav",
    ],
    ["an empty name", 'Content-Disposition: form-data; name="f"; filename=""', ""],
    [
      "other headers",
      'X-A: b\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\nContent-Length: 1',
      "a.wav",
    ],
    [
      "a plain transfer encoding",
      'Content-Transfer-Encoding: 8BIT\r\nContent-Disposition: form-data; name="f"; filename="a.wav"',
      "a.wav",
    ],
  ])("reads file names with %s", async (_, head, fileName) => {
    expect(await read(formOf([{ head, body: text("x") }]))).toEqual([
      { name: "f", fileName, type: null, bytes: text("x") },
    ]);
  });

  it("ignores what stands before the first and after the last boundary, within bounds", async () => {
    expect(
      await readRaw(
        'preamble\r\n--BOUNDARY \t\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--BOUNDARY--\r\nepilogue',
      ),
    ).toEqual([{ name: "a", value: "1" }]);
    expect(await readRaw("--BOUNDARY--")).toEqual([]);
    const { stream, pulled, isCancelled } = countedStream([
      formOf([field("a", "1")]),
      ...Array.from({ length: 50 }, () => noise(10_000)),
    ]);
    expect(await readAll(stream)).toEqual([{ name: "a", value: "1" }]);
    expect([pulled() < 12, isCancelled()]).toEqual([true, true]);
  });
});

describe("back-pressure", () => {
  const chunks = [
    text(`--${boundary}\r\n${file("f", "a.wav", text("")).head}\r\n\r\n`),
    ...Array.from({ length: 50 }, () => noise(1_000)),
    text(`\r\n--${boundary}--`),
  ];

  it("pulls a piece only when one is asked for", async () => {
    const { stream, pulled } = countedStream(chunks);
    const entries = readFormStream(stream, contentType, limits);
    expect(pulled()).toBe(0);
    const value = await firstFile(entries);
    expect(pulled()).toBe(1);
    const pieces = value.stream[Symbol.asyncIterator]();
    for (let count = 1; count <= 10; count += 1) {
      expect((await pieces.next()).value?.length).toBe(1_000);
      expect(pulled()).toBe(1 + count);
    }
    await entries.return();
  });

  it("throws the rest of a file away when the next entry is asked for, but counts it", async () => {
    const bytes = formOf([file("f", "a.wav", noise(5_000)), field("after", "1")]);
    const names: string[] = [];
    for await (const entry of readFormStream(streamOf(cutBytes(bytes, [1_000, 2_000])), contentType, limits))
      names.push(entry.name);
    expect(names).toEqual(["f", "after"]);
    const skipping = async () => {
      for await (const entry of readFormStream(streamOf([bytes]), contentType, { maxFileBytes: 4_999 }))
        names.push(entry.name);
    };
    expect(await reasonOf(skipping())).toBe("file-too-large");
  });

  it("does not pass the beginning of a file off as the whole", async () => {
    const entries = readFormStream(
      streamOf(cutBytes(formOf([file("f", "a.wav", noise(500)), field("b", "")]), [200])),
      contentType,
      limits,
    );
    const value = await firstFile(entries);
    const pieces = value.stream[Symbol.asyncIterator]();
    await pieces.next();
    await entries.next();
    await expect(pieces.next()).rejects.toThrow("gone");
  });

  it("refuses two readers of one file", async () => {
    const entries = readFormStream(countedStream(chunks).stream, contentType, limits);
    const value = await firstFile(entries);
    const [first, second] = [value.stream[Symbol.asyncIterator](), entries];
    const outcomes = await Promise.allSettled([first.next(), second.next()]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });

  it("cancels the body when the caller leaves, and when a limit is passed", async () => {
    const left = countedStream(chunks);
    for await (const entry of readFormStream(left.stream, contentType, limits)) {
      expect(entry.name).toBe("f");
      break;
    }
    expect(left.isCancelled()).toBe(true);
    const limited = countedStream(chunks);
    expect(await reasonOf(readAll(limited.stream, contentType, { maxFileBytes: 2_500 }))).toBe("file-too-large");
    expect([limited.isCancelled(), limited.pulled()]).toEqual([true, 4]);
  });

  it("reports a body that breaks off as truncated, with the cause", async () => {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(present(chunks[0]));
      },
      pull(controller) {
        controller.error(new Error("connection reset"));
      },
    });
    const error = await readAll(stream).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ reason: "truncated", cause: new Error("connection reset") });
  });
});
