import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { headBytesNeeded } from "#lib/file-magic";
import { checkFileType, fileTypeByMime, fileTypes } from "#lib/file-type";
import wav from "../fixtures/heads/briefing.wav.bin";
import mp4 from "../fixtures/heads/clip.mp4.bin";
import aac from "../fixtures/heads/interview.aac.bin";
import flac from "../fixtures/heads/interview.flac.bin";
import m4a from "../fixtures/heads/interview.m4a.bin";
import mp3 from "../fixtures/heads/interview.mp3.bin";
import ogg from "../fixtures/heads/interview.ogg.bin";
import webm from "../fixtures/heads/interview.webm.bin";
import { joined, noise } from "./byte-streams.ts";

const text = (value: string) => Uint8Array.from(value, (character) => character.charCodeAt(0));
const hex = (value: string) => Uint8Array.fromHex(value.replaceAll(" ", ""));
const after = (value: Uint8Array, sizeBytes = 4_096) => joined([value, new Uint8Array(sizeBytes)]);
const box = (size: string, brands: string) => after(joined([hex(size), text(`ftyp${brands}`)]));
const id3 = (bodyBytes: number) =>
  joined([
    text("ID3"),
    new Uint8Array([
      4,
      0,
      0,
      (bodyBytes >> 21) & 127,
      (bodyBytes >> 14) & 127,
      (bodyBytes >> 7) & 127,
      bodyBytes & 127,
    ]),
  ]);

/** One good head of every row, from real files where they are at hand, else built by the format's own description. */
const heads = {
  mp3: new Uint8Array(mp3),
  wav: new Uint8Array(wav),
  m4a: new Uint8Array(m4a),
  aac: new Uint8Array(aac),
  ogg: new Uint8Array(ogg),
  flac: new Uint8Array(flac),
  webm: new Uint8Array(webm),
  mp4: new Uint8Array(mp4),
  mov: box("00000014", "qt  \u0020\u0005\u0003\u0000qt  "),
  png: after(hex("89504e470d0a1a0a 0000000d 49484452")),
  jpeg: after(hex("ffd8ffe000104a46494600")),
  webp: after(text("RIFF\u0010\u0000\u0000\u0000WEBPVP8 ")),
  gif: after(text("GIF89a")),
  tiff: after(hex("49492a0008000000")),
  zip: after(hex("504b03041400")),
  pdf: text("%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n"),
  txt: new TextEncoder().encode("Grüße, 世界\n"),
} as const;

const declared = (id: string) => fileTypes.find((type) => type.id === id)?.mime;
const check = (fileName: string, declaredType: string | null | undefined, head: Uint8Array) =>
  checkFileType({ fileName, declaredType, head });
const reasonOf = (...claim: Parameters<typeof check>) => {
  const outcome = check(...claim);
  return outcome.ok ? outcome.type.id : outcome.reason;
};

describe("real files", () => {
  it.each([
    ["interview.mp3", "audio/mpeg", heads.mp3, "mp3", "audio"],
    ["briefing.wav", "audio/x-wav", heads.wav, "wav", "audio"],
    ["interview.m4a", "audio/x-m4a", heads.m4a, "m4a", "audio"],
    ["interview.aac", "audio/aacp", heads.aac, "aac", "audio"],
    ["interview.ogg", "audio/ogg", heads.ogg, "ogg", "audio"],
    ["interview.opus", "audio/opus", heads.ogg, "ogg", "audio"],
    ["interview.flac", "audio/x-flac", heads.flac, "flac", "audio"],
    ["interview.webm", "audio/webm;codecs=opus", heads.webm, "webm-audio", "audio"],
    ["interview.webm", "video/webm", heads.webm, "webm", "video"],
    ["clip.mp4", "video/mp4", heads.mp4, "mp4", "video"],
    ["clip.mp4", "audio/mp4", heads.mp4, "m4a", "audio"],
    ["CLIP.MP4", " Video/MP4 ; x=y", heads.mp4, "mp4", "video"],
    ["interview.m4a", "video/mp4", heads.m4a, "mp4", "video"],
  ])("%s as %s", (fileName, declaredType, head, id, kind) => {
    expect(check(fileName, declaredType, head)).toMatchObject({ ok: true, type: { id, kind } });
  });

  it("settle containers that nobody declared by the tracks in their head", () => {
    const idOf = (fileName: string, head: Uint8Array, declaredType?: string) => {
      const outcome = checkFileType({ fileName, declaredType, head }, { allowUndeclared: true });
      return outcome.ok ? outcome.type.id : outcome.reason;
    };
    expect(idOf("interview.webm", heads.webm)).toBe("webm-audio");
    expect(idOf("clip.mp4", heads.mp4, "application/octet-stream")).toBe("mp4");
    expect(idOf("interview.m4a", heads.m4a, "")).toBe("m4a");
    expect(idOf("interview.mp4", heads.m4a)).toBe("mp4");
    expect(idOf("interview.mp3", heads.mp3)).toBe("mp3");
    expect(idOf("interview.mp3", heads.wav)).toBe("content-mismatch");
    expect(idOf("interview.mp3", heads.mp3, "video/mp4")).toBe("type-mismatch");
  });
});

describe("the table", () => {
  it("accepts every row under every one of its names and extensions", () => {
    for (const type of fileTypes) {
      const sample = { "webm-audio": heads.webm, text: heads.txt }[type.id] ?? heads[type.id as keyof typeof heads];
      for (const extension of type.extensions) {
        for (const mime of [type.mime, ...type.aliases]) {
          expect([extension, mime, reasonOf(`a.${extension}`, mime, sample)]).toEqual([extension, mime, type.id]);
        }
      }
    }
  });

  it("takes no head for another format", () => {
    const rows: Record<string, string[]> = {
      txt: ["text"],
      m4a: ["m4a", "mp4"],
      mp4: ["m4a", "mp4"],
      webm: ["webm-audio", "webm"],
    };
    for (const [name, head] of Object.entries(heads)) {
      const accepted = fileTypes
        .filter((type) => check(`a.${type.extensions[0]}`, type.mime, head).ok)
        .map((type) => type.id);
      expect([name, accepted]).toEqual([name, rows[name] ?? [name]]);
    }
  });

  it("has one row for each media type, and marks what is for opening only", () => {
    const names = fileTypes.flatMap((type) => [type.mime, ...type.aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(fileTypes.filter((type) => type.openingOnly).map((type) => type.id)).toEqual(["tiff"]);
    expect(fileTypeByMime("AUDIO/X-WAV; rate=16000")?.id).toBe("wav");
    expect(fileTypeByMime("text/html")).toBeNull();
    expect(declared("zip")).toBe("application/zip");
  });
});

describe("refusals", () => {
  it.each([
    ["no extension", "interview", "audio/mpeg", heads.mp3, "extension-unknown"],
    ["an unknown extension", "a.exe", "audio/mpeg", heads.mp3, "extension-unknown"],
    ["an extension behind the true one", "a.mp3.exe", "audio/mpeg", heads.mp3, "extension-unknown"],
    ["no declared type", "a.mp3", null, heads.mp3, "type-unknown"],
    ["octet-stream", "a.mp3", "application/octet-stream", heads.mp3, "type-unknown"],
    ["an unknown type", "a.mp3", "text/html", heads.mp3, "type-unknown"],
    ["a type of another row", "a.mp3", "audio/wav", heads.mp3, "type-mismatch"],
    ["other content", "a.mp3", "audio/mpeg", heads.wav, "content-mismatch"],
    ["an empty file", "a.txt", "text/plain", new Uint8Array(0), "content-mismatch"],
    ["SVG", "a.svg", "image/svg+xml", text("<svg>"), "extension-unknown"],
  ])("%s", (_, fileName, declaredType, head, reason) => {
    expect(check(fileName, declaredType, head)).toMatchObject({ ok: false, reason });
  });

  it("say what the content is instead", () => {
    expect(check("a.mp3", "audio/mpeg", heads.png)).toMatchObject({
      detail: "The content is image/png, not what .mp3 promises.",
    });
    expect(check("a.mp3", "audio/mpeg", hex("00ff00"))).toMatchObject({
      detail: "The content is not what .mp3 promises.",
    });
  });

  it.each([
    ["a ZIP behind a GIF", "a.zip", "application/zip", joined([heads.gif, heads.zip])],
    ["a PDF behind a line break", "a.pdf", "application/pdf", joined([text("\n"), heads.pdf])],
    ["a FLAC behind an ID3 tag", "a.flac", "audio/flac", joined([id3(100), new Uint8Array(100), heads.flac])],
    ["AVIF as MP4", "a.mp4", "video/mp4", box("0000001c", "avif\u0000\u0000\u0000\u0000mif1miafiso8")],
    ["HEIC as MP4", "a.mp4", "video/mp4", box("00000018", "heic\u0000\u0000\u0000\u0000mif1isom")],
    ["QuickTime as MP4", "a.mp4", "video/mp4", heads.mov],
    ["MP4 as QuickTime", "a.mov", "video/quicktime", heads.mp4],
    ["Matroska as WebM", "a.webm", "video/webm", after(hex("1a45dfa3 93 42868101 42f78101 4282 88 6d6174726f736b61"))],
    ["a WebM name beyond the header", "a.webm", "video/webm", after(hex("1a45dfa3 84 42868101 4282 84 7765626d"))],
    ["an EBML header without end", "a.webm", "video/webm", hex("1a45dfa3 01ffffffffffffff 4282")],
    [
      "Ogg video",
      "a.ogg",
      "audio/ogg",
      after(joined([text("OggS"), new Uint8Array(22), hex("01 2a"), text("\u0080theora")])),
    ],
    ["AVI as WAV", "a.wav", "audio/wav", after(text("RIFF\u0010\u0000\u0000\u0000AVI LIST"))],
    ["MPEG layer II as MP3", "a.mp3", "audio/mpeg", after(hex("fffd a404"))],
    [
      "one MP3 frame and then noise",
      "a.mp3",
      "audio/mpeg",
      joined([hex("fffb9064"), new Uint8Array(413), new Uint8Array(4_000).fill(7)]),
    ],
    [
      "one ADTS frame and then noise",
      "a.aac",
      "audio/aac",
      joined([heads.aac.slice(0, 20), new Uint8Array(4_000).fill(7)]),
    ],
    ["an ID3 tag without sound", "a.mp3", "audio/mpeg", joined([id3(20), new Uint8Array(3_000)])],
    ["an ID3 tag longer than its file", "a.mp3", "audio/mpeg", joined([id3(90_000), new Uint8Array(3_000)])],
    ["BigTIFF", "a.tiff", "image/tiff", after(hex("49492b00"))],
    ["NUL in text", "a.txt", "text/plain", text("abc\u0000def")],
    ["invalid UTF-8", "a.txt", "text/plain", hex("61ff62")],
    ["half a character at the end of a text", "a.txt", "text/plain", hex("61e4b8")],
    ["a PDF as text", "a.txt", "text/plain", text("%PDF-1.4\n")],
  ])("%s", (_, fileName, declaredType, head) => {
    expect(reasonOf(fileName, declaredType, head)).toBe("content-mismatch");
  });
});

describe("variants that are accepted", () => {
  it.each([
    ["RF64", "a.wav", "audio/wav", after(text("RF64\u00ff\u00ff\u00ff\u00ffWAVEds64")), "wav"],
    [
      "MP3 without a tag",
      "a.mp3",
      "audio/mpeg",
      joined([hex("fffb9064"), new Uint8Array(413), hex("fffb9064"), new Uint8Array(413)]),
      "mp3",
    ],
    ["MPEG 2 MP3", "a.mp3", "audio/mp3", joined([hex("fff364c4"), new Uint8Array(140), hex("fff364c4")]), "mp3"],
    ["MP3 behind a large cover", "a.mp3", "audio/mpeg", joined([id3(900_000), noise(headBytesNeeded - 10)]), "mp3"],
    [
      "MP3 behind padding",
      "a.mp3",
      "audio/mpeg",
      joined([id3(10), new Uint8Array(110), hex("fffb9064"), new Uint8Array(413), hex("fffb9064")]),
      "mp3",
    ],
    ["AAC behind an ID3 tag", "a.aac", "audio/aac", joined([id3(10), new Uint8Array(10), heads.aac]), "aac"],
    [
      "QuickTime from before its brand",
      "a.mov",
      "video/quicktime",
      after(joined([hex("00000008"), text("wide")])),
      "mov",
    ],
    ["a phone's MP4", "a.mp4", "video/mp4", box("00000018", "mp42\u0000\u0000\u0000\u0000isommp42"), "mp4"],
    ["big-endian TIFF", "a.tif", "image/tiff", after(hex("4d4d002a")), "tiff"],
    ["an empty ZIP", "a.zip", "application/zip", joined([hex("504b0506"), new Uint8Array(18)]), "zip"],
    [
      "text cut within a character by the head's end",
      "a.txt",
      "text/plain",
      joined([new Uint8Array(headBytesNeeded - 2).fill(97), hex("e4b8")]),
      "text",
    ],
    ["text with a byte order mark", "a.md", "text/markdown", hex("efbbbf 61"), "text"],
  ])("%s", (_, fileName, declaredType, head, id) => {
    expect(reasonOf(fileName, declaredType, head)).toBe(id);
  });
});

describe("any bytes", () => {
  it("give an answer and never an exception", () => {
    const starts = Object.values(heads).map((head) => head.slice(0, 32));
    const head = fc
      .tuple(fc.constantFrom(...starts), fc.nat(32), fc.uint8Array({ maxLength: 80 }))
      .map(([start, keep, rest]) => joined([start.slice(0, keep), rest]));
    fc.assert(
      fc.property(head, fc.constantFrom(...fileTypes), (bytes, type) => {
        const outcome = check(`a.${type.extensions[0]}`, type.mime, bytes);
        expect(outcome.ok ? outcome.type.matches(bytes) : outcome.reason).toBe(outcome.ok ? true : "content-mismatch");
      }),
      { numRuns: 1_000 },
    );
  });
});
