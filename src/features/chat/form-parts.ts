/** Writes multipart/form-data (RFC 7578) for a provider, piece by piece. */
import type { WorkspaceCtx } from "#core/context";

export interface FieldPart {
  kind: "field";
  name: string;
  value: string;
}

export interface FilePart {
  kind: "file";
  name: string;
  fileName: string;
  type: string | null;
  pieces: Uint8Array[];
  /** Its object in the bucket, which holds all of it instead. */
  spooled?: string;
}

export type Part = FieldPart | FilePart;

export interface FormWriter {
  /** Of the whole form, with the boundary. */
  type: string;
  field(name: string, value: string): Uint8Array<ArrayBuffer>;
  /** What stands before the bytes of a file; `lineEnd` stands behind them. */
  fileHead(file: Pick<FilePart, "name" | "fileName" | "type">): Uint8Array<ArrayBuffer>;
  end(): Uint8Array<ArrayBuffer>;
}

const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text));
export const lineEnd = bytesOf("\r\n");

export function openFormWriter(ctx: Pick<WorkspaceCtx, "random">): FormWriter {
  const boundary = `overtone-${Buffer.from(ctx.random(16)).toString("hex")}`;
  const head = (name: string, rest: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"${rest}\r\n\r\n`;
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    field: (name, value) => bytesOf(`${head(name, "")}${value}\r\n`),
    fileHead({ name, fileName, type }) {
      const named = `; filename="${escaped(fileName)}"\r\nContent-Type: ${type ?? "application/octet-stream"}`;
      return bytesOf(head(name, named));
    },
    end: () => bytesOf(`--${boundary}--\r\n`),
  };
}

/** As browsers write them (HTML, "multipart/form-data encoding algorithm"). */
function escaped(text: string): string {
  return text.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

export function* partBytes(writer: FormWriter, part: Part): Generator<Uint8Array> {
  if (part.kind === "field") {
    yield writer.field(part.name, part.value);
    return;
  }
  yield writer.fileHead(part);
  yield* part.pieces;
  yield lineEnd;
}

/** Reads on when it is asked to, and no sooner. `onFailure` learns why it broke off. */
export function streamOf(
  pieces: AsyncGenerator<Uint8Array, void, undefined>,
  onFailure: (error: unknown) => void = () => undefined,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          onFailure(error);
          controller.error(error);
        }
      },
      async cancel() {
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}
