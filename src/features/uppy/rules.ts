/** Decisions about upload tickets on plain data: which types they are for, and what a file that is begun may claim. */
import { Problem } from "#core/problem";
import { type AgreedType, requireClaimedType } from "#features/media/service";
import { fileTypeByMime, fileTypeByName } from "#lib/file-type";

const groups: readonly string[] = ["audio/*", "video/*", "image/*"];

/** The types in their canonical form, each once. Throws `file-type-unsupported` for one that nothing could be uploaded as. */
export function readAccepted(given: readonly string[]): string[] {
  const accepted = given.map((text) => {
    const wanted = text.trim().toLowerCase();
    if (groups.includes(wanted)) return wanted;
    const type = fileTypeByMime(wanted);
    if (type) return type.mime;
    throw new Problem("file-type-unsupported", {
      detail: `accept: ${wanted.slice(0, 100)} is not a type that is taken.`,
    });
  });
  return [...new Set(accepted)];
}

/** The type of a new file under a ticket. Throws `file-type-unsupported` or `file-type-mismatch`. */
export function requireAcceptedType(
  file: { fileName: string; declaredType: string | null },
  accepted: readonly string[],
): AgreedType {
  const type = requireClaimedType(file.fileName, declaredOf(file));
  const [group] = type.contentType.split("/", 1);
  if (accepted.length === 0 || accepted.includes(type.contentType) || accepted.includes(`${group}/*`)) return type;
  throw new Problem("file-type-unsupported", {
    detail: `The ticket is not for ${type.contentType}.`,
    members: { accept: accepted },
  });
}

/** Browsers do not know all types; Uppy then says nothing, or what stands for any bytes. */
function declaredOf({ fileName, declaredType }: { fileName: string; declaredType: string | null }): string {
  const isSaid = declaredType !== null && declaredType !== "" && declaredType !== "application/octet-stream";
  return isSaid ? declaredType : (fileTypeByName(fileName)?.mime ?? "application/octet-stream");
}

/** The size that an app put into the file's metadata (`size`), if it did; the ticket's own limit otherwise. */
export function requireSizeMax(metadata: Readonly<Record<string, unknown>>, ticketMax: number): number {
  const said = Number(metadata["size"] ?? Number.NaN);
  if (!Number.isSafeInteger(said) || said < 1) return ticketMax;
  if (said > ticketMax) {
    throw new Problem("file-too-large", {
      detail: `The ticket allows ${ticketMax} bytes a file, not ${said}.`,
      members: { sizeBytes: said, maxBytes: ticketMax },
    });
  }
  return said;
}
