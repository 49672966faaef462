/** Reads a JSON (or sign-in form) body of bounded size. Files never come this way: they are streamed by the endpoints that take them. */
import { Problem } from "#core/problem";

const maxBodyBytes = 1_048_576;

export async function readBody(
  request: Request,
  options: { acceptsForm: boolean; optional: boolean },
): Promise<{ text: string; value: unknown }> {
  const text = await readText(request);
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

/** Throws `body-too-large` above 1 MiB, and `invalid-json` for anything but UTF-8. */
export async function readText(request: Request): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) throw tooLarge();
  if (!request.body) return "";
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request.body) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBodyBytes) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(Buffer.concat(chunks, sizeBytes));
  } catch {
    throw new Problem("invalid-json", { detail: "The body is not UTF-8." });
  }
}

function tooLarge(): Problem {
  return new Problem("body-too-large", { detail: `At most ${maxBodyBytes} bytes.` });
}
