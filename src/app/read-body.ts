/** Reads a JSON (or sign-in form) body of bounded size. Files never come this way: they are streamed by the endpoints that take them. */
import { Problem } from "#core/problem";

const usualBytesMax = 1_048_576;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

export async function readBody(
  request: Request,
  options: { acceptsForm: boolean; optional: boolean; bytesMax?: number | undefined },
): Promise<{ text: string; value: unknown }> {
  const text = await readText(request, options.bytesMax);
  if (text === "" && options.optional) return { text, value: {} };
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (options.acceptsForm && type === "application/x-www-form-urlencoded")
    return { text, value: Object.fromEntries(new URLSearchParams(text)) };
  if (!isJson(type)) {
    throw new Problem("unsupported-content-type", {
      detail: `This operation takes application/json, not "${type || "nothing"}".`,
    });
  }
  try {
    return { text, value: JSON.parse(text) as unknown };
  } catch {
    throw new Problem("invalid-json");
  }
}

export function isJson(contentType: string | null): boolean {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return type === "application/json" || type.endsWith("+json");
}

/** Throws `body-too-large` above 1 MiB (or what is given), and `invalid-json` for anything but UTF-8. */
export async function readText(request: Request, bytesMax = usualBytesMax): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const bytes = request.headers.has("content-length")
    ? await request.arrayBuffer()
    : await readBytes(request.body, bytesMax);
  if (bytes.byteLength > bytesMax) throw tooLarge(bytesMax);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Problem("invalid-json", { detail: "The body is not UTF-8." });
  }
}

/** Piece by piece costs more than all that follows, so only a body of no stated length is read like this. */
async function readBytes(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body ?? []) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}

function tooLarge(bytesMax: number): Problem {
  return new Problem("body-too-large", { detail: `At most ${bytesMax} bytes.` });
}
