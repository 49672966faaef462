/** Pictures: stripes whose colours are a function of the request, in the size that was asked for, as PNG. */
import { deflateSync } from "node:zlib";
import { IDAT, IEND, IHDR } from "#lib/png/chunks";
import { crc32 } from "#lib/png/crc";
import type { Call } from "./call.ts";
import type { Answer } from "./delivery.ts";
import { diceOf, hashOf } from "./dice.ts";
import { LlmFailure, missing, unsupported, wrongValue } from "./failure.ts";
import { type Fields, flag, oneOf, optionalText, requiredText, whole } from "./fields.ts";
import { attachmentTokens, countTokens } from "./tokens.ts";
import { createdAt, modelOf } from "./usage.ts";

const maxPromptLength = 32_000;
const maxImages = 10;
const stripes = 8;

export function generateImages(call: Call): Answer {
  return answerImages(call, { about: "", imageTokens: 0 });
}

export function editImages(call: Call): Answer {
  const images = call.files.filter(({ name }) => name === "image");
  if (images.length === 0) throw missing("image");
  if (images.some(({ head }) => !isPicture(head)))
    throw wrongValue("image", "Invalid image file: expected PNG, WebP or JPEG.", "invalid_image_file");
  const about = images.map(({ sha256 }) => sha256).join(":");
  return answerImages(call, { about, imageTokens: images.length * attachmentTokens });
}

/** PNG, JPEG, and RIFF, in which WebP is. */
function isPicture(head: Uint8Array): boolean {
  const starts = [
    [0x89, 0x50, 0x4e, 0x47],
    [0xff, 0xd8, 0xff],
    [0x52, 0x49, 0x46, 0x46],
  ];
  return starts.some((start) => start.every((byte, index) => head[index] === byte));
}

interface Given {
  /** What else the picture depends on. */
  about: string;
  imageTokens: number;
}

function answerImages({ ctx, fields, fault }: Call, { about, imageTokens }: Given): Answer {
  const model = modelOf({ ...fields, model: fields["model"] ?? "gpt-image-1" });
  const prompt = requiredText(fields, "prompt");
  if (prompt === "" || prompt.length > maxPromptLength)
    throw wrongValue("prompt", `Invalid 'prompt': expected 1 to ${maxPromptLength} characters.`);
  if (fault.kind === "refused")
    throw new LlmFailure(400, "Your request was rejected by the safety system.", { code: "moderation_blocked" });
  if (flag(fields, "stream") === true) throw unsupported("stream");
  oneOf(fields, "output_format", ["png"]);
  const size = sizeOf(fields);
  const count = whole(fields, "n", { min: 1, max: maxImages }) ?? 1;
  const names = Array.from({ length: count }, (_, index) =>
    hashOf(JSON.stringify([model, prompt, about, index])).slice(0, 32),
  );
  const asUrl = optionalText(fields, "response_format") === "url" && !model.includes("gpt-image");
  const data = names.map((name) =>
    asUrl
      ? { url: `${ctx.settings.publicUrl}/__sandbox/llm/images/${name}-${size.width}x${size.height}.png` }
      : { b64_json: pngOf(name, size).toBase64() },
  );
  const used = { text: countTokens(prompt), image: imageTokens, output: count * tokensOf(size) };
  const usage = fault.kind === "no-usage" ? {} : { usage: usageOf(used) };
  const body = {
    created: createdAt,
    background: "opaque",
    data,
    output_format: "png",
    quality: "low",
    size: `${size.width}x${size.height}`,
    ...usage,
  };
  return { kind: "json", body, tokens: used.output };
}

interface Size {
  width: number;
  height: number;
}

const sizes = ["1024x1024", "256x256", "512x512", "1024x1536", "1536x1024", "1024x1792", "1792x1024"] as const;

function sizeOf(fields: Fields): Size {
  const given = fields["size"] === "auto" ? {} : fields;
  const [width = 0, height = 0] = oneOf(given, "size", sizes).split("x").map(Number);
  return { width, height };
}

/** A token for each square of 32 by 32 points. */
const tokensOf = ({ width, height }: Size) => Math.ceil((width / 32) * (height / 32));

function usageOf({ text, image, output }: { text: number; image: number; output: number }) {
  return {
    input_tokens: text + image,
    input_tokens_details: { text_tokens: text, image_tokens: image },
    output_tokens: output,
    output_tokens_details: { text_tokens: 0, image_tokens: output },
    total_tokens: text + image + output,
  };
}

/** The picture that an answer's URL names; null for a name that the sandbox never gives. */
export function pictureAt(name: string): Uint8Array<ArrayBuffer> | null {
  const match = /^([0-9a-f]{32})-(\d{3,4})x(\d{3,4})\.png$/.exec(name);
  const size = sizes.find((known) => known === `${match?.[2]}x${match?.[3]}`);
  return match && size ? pngOf(match[1] ?? "", { width: Number(match[2]), height: Number(match[3]) }) : null;
}

/** Compressed, because the rows are alike: some KiB instead of three MiB. */
function pngOf(seed: string, { width, height }: Size): Uint8Array<ArrayBuffer> {
  const dice = diceOf(seed);
  const colours = Array.from({ length: stripes }, () => [dice.below(256), dice.below(256), dice.below(256)]);
  const row = new Uint8Array(1 + width * 3);
  for (let x = 0; x < width; x += 1) row.set(colours[Math.floor((x * stripes) / width)] ?? [], 1 + x * 3);
  const rows = new Uint8Array(row.length * height);
  for (let y = 0; y < height; y += 1) rows.set(row, y * row.length);
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // Depth 8, RGB, and the only methods that there are.
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return joined([
    signature,
    chunk(IHDR, header),
    chunk(IDAT, deflateSync(rows, { level: 1 })),
    chunk(IEND, new Uint8Array(0)),
  ]);
}

function chunk(type: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  view.setUint32(4, type);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}
