/**
 * The closed table of files that Overtone takes, and the one test that a file is what it says: extension, declared type and first bytes
 * must agree. Refuses to guess from any one of the three alone.
 */
import type { MagicTest } from "./file-magic.ts";
import {
  hasPictureTrack,
  isAdts,
  isFlac,
  isGif,
  isJpeg,
  isMp3,
  isMp4,
  isOggAudio,
  isPdf,
  isPlainText,
  isPng,
  isQuickTime,
  isTiff,
  isWav,
  isWebm,
  isWebp,
  isZip,
} from "./file-magic.ts";

export type FileKind = "audio" | "video" | "image" | "archive" | "document";

export interface FileType {
  /** Names the row, e.g. `webm-audio`. */
  id: string;
  kind: FileKind;
  /** The canonical media type: what is stored and served. */
  mime: string;
  /** Other media types that browsers and clients send for it. */
  aliases: readonly string[];
  /** Without dot, lower case; the first is the usual one. */
  extensions: readonly string[];
  /** True: taken only to open sealed images out of it, never stored as media. */
  openingOnly: boolean;
  matches: MagicTest;
}

type Row = Pick<FileType, "mime" | "aliases" | "extensions" | "matches"> & { openingOnly?: true };

function rowsOf(kind: FileKind, rows: Record<string, Row>): FileType[] {
  return Object.entries(rows).map(([id, row]) => ({ openingOnly: false, ...row, id, kind }));
}

const audio = rowsOf("audio", {
  mp3: {
    mime: "audio/mpeg",
    aliases: ["audio/mp3", "audio/mpeg3", "audio/x-mpeg", "audio/x-mp3", "audio/mpg"],
    extensions: ["mp3"],
    matches: isMp3,
  },
  wav: {
    mime: "audio/wav",
    aliases: ["audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/x-pn-wav"],
    extensions: ["wav", "wave"],
    matches: isWav,
  },
  m4a: {
    mime: "audio/mp4",
    aliases: ["audio/x-m4a", "audio/m4a", "audio/mp4a-latm", "audio/x-mp4"],
    extensions: ["m4a", "m4b", "mp4"],
    matches: isMp4,
  },
  aac: {
    mime: "audio/aac",
    aliases: ["audio/aacp", "audio/x-aac", "audio/x-hx-aac-adts", "audio/vnd.dlna.adts"],
    extensions: ["aac", "adts"],
    matches: isAdts,
  },
  ogg: {
    mime: "audio/ogg",
    aliases: [
      "audio/opus",
      "audio/vorbis",
      "audio/x-ogg",
      "audio/x-vorbis+ogg",
      "audio/x-opus+ogg",
      "application/ogg",
      "video/ogg",
    ],
    extensions: ["ogg", "oga", "opus"],
    matches: isOggAudio,
  },
  flac: { mime: "audio/flac", aliases: ["audio/x-flac"], extensions: ["flac"], matches: isFlac },
  "webm-audio": { mime: "audio/webm", aliases: [], extensions: ["weba", "webm"], matches: isWebm },
});

const video = rowsOf("video", {
  mp4: {
    mime: "video/mp4",
    aliases: ["video/x-m4v", "video/m4v", "application/mp4"],
    extensions: ["mp4", "m4v", "m4a"],
    matches: isMp4,
  },
  mov: { mime: "video/quicktime", aliases: ["video/x-quicktime"], extensions: ["mov", "qt"], matches: isQuickTime },
  webm: { mime: "video/webm", aliases: [], extensions: ["webm"], matches: isWebm },
});

const image = rowsOf("image", {
  png: { mime: "image/png", aliases: ["image/x-png"], extensions: ["png"], matches: isPng },
  jpeg: {
    mime: "image/jpeg",
    aliases: ["image/jpg", "image/pjpeg"],
    extensions: ["jpg", "jpeg", "jpe", "jfif"],
    matches: isJpeg,
  },
  webp: { mime: "image/webp", aliases: [], extensions: ["webp"], matches: isWebp },
  gif: { mime: "image/gif", aliases: [], extensions: ["gif"], matches: isGif },
  tiff: {
    mime: "image/tiff",
    aliases: ["image/x-tiff", "image/tif"],
    extensions: ["tiff", "tif"],
    matches: isTiff,
    openingOnly: true,
  },
});

const archive = rowsOf("archive", {
  zip: {
    mime: "application/zip",
    aliases: ["application/x-zip-compressed", "application/x-zip", "multipart/x-zip"],
    extensions: ["zip"],
    matches: isZip,
  },
});

const document = rowsOf("document", {
  pdf: { mime: "application/pdf", aliases: ["application/x-pdf"], extensions: ["pdf"], matches: isPdf },
  text: {
    mime: "text/plain",
    aliases: ["text/markdown", "text/x-markdown"],
    extensions: ["txt", "text", "md"],
    matches: isPlainText,
  },
});

/** Text is last and plain by exclusion: a file that is anything else is not text. */
export const fileTypes: readonly FileType[] = [...audio, ...video, ...image, ...archive, ...document];

export interface FileClaim {
  fileName: string;
  /** The media type that the client sent; parameters such as `;codecs=opus` are ignored. */
  declaredType: string | null | undefined;
  /** The first `headBytesNeeded` bytes, or the whole of a shorter file. */
  head: Uint8Array;
}

export interface FileClaimOptions {
  /** Takes a missing type or `application/octet-stream`, as scripts send; extension and bytes must still agree. */
  allowUndeclared?: boolean;
}

export type FileTypeReason = "extension-unknown" | "type-unknown" | "type-mismatch" | "content-mismatch";

export type FileTypeOutcome = { ok: true; type: FileType } | { ok: false; reason: FileTypeReason; detail: string };

/**
 * The type that extension, declared type and first bytes agree on. Containers that hold sound or pictures (WebM, MP4) take both
 * `audio/*` and `video/*`: the declared type decides, and without one the tracks named in the head.
 */
export function checkFileType(claim: FileClaim, options: FileClaimOptions = {}): FileTypeOutcome {
  const extension = extensionOf(claim.fileName);
  const candidates = fileTypes.filter((type) => type.extensions.includes(extension));
  if (candidates.length === 0)
    return refuse(
      "extension-unknown",
      extension === "" ? "The name has no extension." : `The extension .${extension} is not accepted.`,
    );
  const declared = bareType(claim.declaredType);
  const isUndeclared = declared === "" || declared === "application/octet-stream";
  if (isUndeclared && options.allowUndeclared !== true) return refuse("type-unknown", "No media type was declared.");
  if (!isUndeclared && fileTypeByMime(declared) === null)
    return refuse("type-unknown", "The declared media type is not accepted.");
  const fitting = isUndeclared ? candidates : candidates.filter((type) => namesOf(type).includes(declared));
  if (fitting.length === 0) return refuse("type-mismatch", `The extension .${extension} does not go with ${declared}.`);
  const matching = fitting.filter((type) => matchesContent(type, claim.head));
  const type = preferTracks(matching, extension, claim.head);
  return type === null ? refuse("content-mismatch", describeContent(extension, claim.head)) : { ok: true, type };
}

/** The row of a media type, given by its canonical name or an alias, with or without parameters; null when it is not accepted. */
export function fileTypeByMime(mime: string): FileType | null {
  const bare = bareType(mime);
  return fileTypes.find((type) => namesOf(type).includes(bare)) ?? null;
}

/** The usual row of a name's extension, for clients that declare no type; null when it is not accepted. */
export function fileTypeByName(fileName: string): FileType | null {
  const extension = extensionOf(fileName);
  const candidates = fileTypes.filter((type) => type.extensions.includes(extension));
  return candidates.find((type) => type.extensions[0] === extension) ?? candidates[0] ?? null;
}

function refuse(reason: FileTypeReason, detail: string): FileTypeOutcome {
  return { ok: false, reason, detail };
}

function namesOf(type: FileType): string[] {
  return [type.mime, ...type.aliases];
}

function extensionOf(fileName: string): string {
  const [, extension = ""] = /\.([A-Za-z0-9]{1,16})$/.exec(fileName.trimEnd()) ?? [];
  return extension.toLowerCase();
}

function bareType(mime: string | null | undefined): string {
  const [bare = ""] = (mime ?? "").split(";", 1);
  return bare.trim().toLowerCase();
}

function matchesContent(type: FileType, head: Uint8Array): boolean {
  if (head.length === 0 || !type.matches(head)) return false;
  return type.id !== "text" || !fileTypes.some((other) => other.id !== "text" && other.matches(head));
}

/** Of two rows for one container: the one whose kind the tracks show, else the one whose usual extension it is. */
function preferTracks(matching: FileType[], extension: string, head: Uint8Array): FileType | null {
  const [first = null] = matching;
  if (matching.length < 2) return first;
  const hasPicture = hasPictureTrack(head);
  const shown =
    hasPicture === null ? undefined : matching.find((type) => type.kind === (hasPicture ? "video" : "audio"));
  return shown ?? matching.find((type) => type.extensions[0] === extension) ?? first;
}

function describeContent(extension: string, head: Uint8Array): string {
  if (head.length === 0) return "The file is empty.";
  const actual = fileTypes.find((type) => matchesContent(type, head));
  return actual
    ? `The content is ${actual.mime}, not what .${extension} promises.`
    : `The content is not what .${extension} promises.`;
}
