/** Reads the JSON body of an operation that takes a form as well, and therefore reads its body itself. */
import type * as z from "zod";
import { Problem } from "#core/problem";
import type { Shape } from "#core/shape";

const maxBytes = 1_048_576;

/** Throws `unsupported-content-type`, `body-too-large`, `invalid-json`, `validation-failed`. */
export async function readJson<Type extends z.ZodType>(request: Request, shape: Shape<Type>): Promise<z.output<Type>> {
  if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(request.headers.get("content-type") ?? ""))
    throw new Problem("unsupported-content-type", { detail: "This operation takes a form or application/json." });
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += part.byteLength;
    if (sizeBytes > maxBytes) throw new Problem("body-too-large", { detail: `At most ${maxBytes} bytes.` });
    parts.push(part);
  }
  const result = shape().safeParse(parse(Buffer.concat(parts).toString("utf8")));
  if (result.success) return result.data;
  const errors = result.error.issues
    .slice(0, 20)
    .map((issue) => ({ in: "body", path: issue.path.join("."), message: issue.message, code: issue.code }));
  const [first] = errors;
  throw new Problem("validation-failed", {
    detail: `${first?.path || "body"}: ${first?.message ?? "not valid"}`,
    members: { errors },
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Problem("invalid-json");
  }
}
