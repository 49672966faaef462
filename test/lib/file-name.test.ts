import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cleanFileName, contentDisposition, fileSlug } from "#lib/file-name";

const sizeOf = (text: string) => new TextEncoder().encode(text).length;
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  fc.string({ unit: "grapheme", maxLength: 400 }),
  fc
    .array(
      fc.constantFrom(
        "..",
        "/",
        "\\",
        "con",
        ".",
        " ",
        "\r\n",
        "\u202e",
        "a",
        '"',
        ";",
        "é",
        "e\u0301",
        "💡",
        "\ud800",
        "%41",
      ),
      { maxLength: 300 },
    )
    .map((parts) => parts.join("")),
);

describe("cleanFileName", () => {
  it.each([
    ["interview.mp3", "interview.mp3"],
    ["/etc/passwd", "passwd"],
    ["..\\..\\windows\\system32\\a.wav", "a.wav"],
    ["C:\\fakepath\\song.mp3", "song.mp3"],
    ["folder/", "folder"],
    ["../..", "file"],
    ["a\u0000b\r\nc.wav", "abc.wav"],
    ["invoice\u202egpj.exe", "invoicegpj.exe"],
    ['a<b>c:d"e|f?g*.wav', "abcdefg.wav"],
    ["a.wav:stream", "a.wavstream"],
    ["name. . .", "name"],
    ["  name.wav", "name.wav"],
    ["con", "_con"],
    ["CON.wav", "_CON.wav"],
    ["Aux .mp3", "_Aux .mp3"],
    ["com1.tar.gz", "_com1.tar.gz"],
    ["com\u00b9.txt", "_com\u00b9.txt"],
    ["console.wav", "console.wav"],
    ["com10.wav", "com10.wav"],
    ["cafe\u0301.wav", "caf\u00e9.wav"],
    ["\ud83d\udc69\u200d\ud83d\ude80.png", "\ud83d\udc69\u200d\ud83d\ude80.png"],
    ["lone\ud800.wav", "lone\ufffd.wav"],
    [".env", ".env"],
    ["...", "file"],
    ["", "file"],
    ["\u202e\u2066 ", "file"],
  ])("%j becomes %j", (raw, clean) => {
    expect(cleanFileName(raw)).toBe(clean);
  });

  it("keeps the extension when it cuts, and never half a character", () => {
    const name = cleanFileName(`${"語".repeat(300)}.flac`);
    expect(sizeOf(name)).toBeLessThanOrEqual(255);
    expect(name).toMatch(/^語{83}\.flac$/u);
    expect(sizeOf(cleanFileName(`a.${"x".repeat(500)}`))).toBe(255);
  });

  it("does not let the cut make a device name", () => {
    expect(cleanFileName(`con${" ".repeat(400)}x.wav`)).toBe("_con.wav");
  });

  it("is safe for any input, and cleaning again changes nothing", () => {
    fc.assert(
      fc.property(hostile, (raw) => {
        const name = cleanFileName(raw);
        expect(name).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069<>:"|?*/\\]/u);
        expect(name).not.toMatch(/[. ]$|^ /);
        expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)/i);
        expect(sizeOf(name)).toBeLessThanOrEqual(255);
        expect(sizeOf(name)).toBeGreaterThan(0);
        expect(name.isWellFormed()).toBe(true);
        expect(name.normalize("NFC")).toBe(name);
        expect(cleanFileName(name)).toBe(name);
      }),
      { numRuns: 500 },
    );
  });

  it("takes a very long name without long work", () => {
    expect(cleanFileName(`${"a/".repeat(500_000)}b.wav`)).toBe("b.wav");
  });
});

describe("fileSlug", () => {
  it.each([
    ["Interview (final) №2.MP3", "interview-final-no2.mp3"],
    ["Größe & Maß.wav", "gro-e-ma.wav"],
    ["Crème brûlée.flac", "creme-brulee.flac"],
    ["日本語.mp4", "file.mp4"],
    ["a..b...wav", "a.b.wav"],
    ["../../x", "x"],
    ["-.-", "file"],
    [".env", "env"],
  ])("%j becomes %j", (name, slug) => {
    expect(fileSlug(name)).toBe(slug);
  });

  it("is an object key part for any input", () => {
    fc.assert(
      fc.property(hostile, (raw) => {
        const slug = fileSlug(raw);
        expect(slug).toMatch(/^[a-z0-9][a-z0-9.-]*$/);
        expect(slug.length).toBeLessThanOrEqual(80);
        expect(slug).not.toContain("..");
      }),
      { numRuns: 500 },
    );
    expect(fileSlug(`${"long ".repeat(100)}.webm`)).toMatch(/^long(-long)+\.webm$/);
  });
});

describe("contentDisposition", () => {
  it("matches RFC 6266 and RFC 8187 by example", () => {
    expect(contentDisposition("attachment", "€ rates.txt")).toBe(
      `attachment; filename="_ rates.txt"; filename*=UTF-8''%E2%82%AC%20rates.txt`,
    );
    expect(contentDisposition("attachment", "\u{1E130}")).toBe(
      `attachment; filename="_"; filename*=UTF-8''%F0%9E%84%B0`,
    );
    expect(contentDisposition("inline", "a.wav")).toBe(`inline; filename="a.wav"; filename*=UTF-8''a.wav`);
    expect(contentDisposition("attachment", "it's 100% (new)!.wav")).toBe(
      `attachment; filename="it's 100_ (new)!.wav"; filename*=UTF-8''it%27s%20100%25%20%28new%29!.wav`,
    );
  });

  it("is one valid header line for any name, and the exact name comes back", () => {
    fc.assert(
      fc.property(hostile, (raw) => {
        const header = contentDisposition("attachment", raw);
        const [, fallback, exact] =
          /^attachment; filename="([ !#-[\]-~]+)"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)$/.exec(header) ?? [];
        expect(fallback).toBeDefined();
        expect(decodeURIComponent(exact ?? "")).toBe(cleanFileName(raw));
        expect(
          new Response(null, { headers: { "content-disposition": header } }).headers.get("content-disposition"),
        ).toBe(header);
      }),
      { numRuns: 500 },
    );
  });

  it("cannot be broken out of", () => {
    const header = contentDisposition("attachment", 'a"; filename="evil.exe\r\nSet-Cookie: x=1');
    expect(header).not.toMatch(/[\r\n]/);
    expect(header.match(/filename=/g)?.length).toBe(2);
    expect(header).toMatch(/^attachment; filename="a; filename=evil\.exeSet-Cookie x=1"; /);
    expect(contentDisposition("attachment", "a\uff02b\uff3cc.wav")).toMatch(/filename="a_b_c\.wav"/);
  });
});
