/** Codes of uploads and files. */
import type { ProblemKind } from "../problem-kind.ts";

export const mediaProblems = {
  "upload-not-found": { status: 404, title: "No such upload", suggestion: "Start one by POST /v1/uploads." },
  "upload-ended": { status: 409, title: "The upload has ended", suggestion: "Start a new upload." },
  "upload-expired": { status: 410, title: "The upload has expired", suggestion: "Start a new upload." },
  "upload-limit-reached": { status: 409, title: "Too many unfinished uploads", suggestion: "Complete or delete some." },
  "upload-missing": {
    status: 409,
    title: "The bytes are not in storage",
    suggestion: "Upload the file, then complete.",
  },
  "upload-ticket-invalid": {
    status: 401,
    title: "The upload ticket is not valid",
    suggestion: "Ask for a new one by POST /v1/upload-tickets.",
  },
  "upload-ticket-expired": {
    status: 401,
    title: "The upload ticket has expired",
    suggestion: "Ask for a new one by POST /v1/upload-tickets.",
  },
  "upload-ticket-used-up": {
    status: 409,
    title: "The upload ticket has all its files",
    suggestion: "Ask for a new one by POST /v1/upload-tickets.",
  },
  "parts-missing": {
    status: 409,
    title: "Parts are missing",
    suggestion: "Upload the parts listed in missing, then complete.",
  },
  "part-invalid": {
    status: 422,
    title: "A part is invalid",
    suggestion: "Ask for new part URLs and upload these parts again.",
  },
  "file-empty": { status: 422, title: "The file is empty", suggestion: "Send a file with at least one byte." },
  "file-too-large": { status: 413, title: "The file is too large", suggestion: "At most 524,288,000 bytes a file." },
  "use-direct-upload": {
    status: 413,
    title: "Too large for a form upload",
    suggestion: "Above 95 MiB, upload straight to storage by POST /v1/uploads.",
  },
  "file-type-unsupported": {
    status: 415,
    title: "Unsupported file type",
    suggestion: "See the accepted types in the README.",
  },
  "file-type-mismatch": {
    status: 415,
    title: "The file is not what it is said to be",
    suggestion: "Extension, declared type and content must agree.",
  },
  "size-mismatch": {
    status: 422,
    title: "The size differs from the declared one",
    suggestion: "Start a new upload with the true size.",
  },
  "hash-mismatch": {
    status: 422,
    title: "The SHA-256 differs from the declared one",
    suggestion: "Upload the file again.",
  },
  "storage-quota-exceeded": {
    status: 413,
    title: "The storage quota is used up",
    suggestion: "Delete files or choose a larger plan.",
  },
  "file-not-found": { status: 404, title: "No such file", suggestion: "See GET /v1/files." },
  "file-in-use": {
    status: 409,
    title: "The file is in use",
    suggestion: "End what is listed in references, or delete with force=true.",
  },
  "range-not-satisfiable": {
    status: 416,
    title: "Range not satisfiable",
    suggestion: "Ask for bytes within the file.",
  },
  "file-damaged": {
    status: 500,
    title: "The stored file is damaged",
    suggestion: "Upload the file again and report the requestId.",
  },
  "form-invalid": {
    status: 400,
    title: "The form cannot be read",
    suggestion: "Send multipart/form-data with the documented fields.",
  },
  "form-file-missing": {
    status: 422,
    title: "The form has no file",
    suggestion: "Send the file in the documented field.",
  },
} as const satisfies Record<string, ProblemKind>;
