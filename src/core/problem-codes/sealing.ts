/** Codes of conversions and encryption keys. */
import type { ProblemKind } from "../problem-kind.ts";

export const sealingProblems = {
  "conversion-not-found": { status: 404, title: "No such conversion", suggestion: "See GET /v1/conversions." },
  "conversion-not-ready": {
    status: 409,
    title: "The conversion has not succeeded",
    suggestion: "Follow its job until it has.",
  },
  "conversion-running": { status: 409, title: "The conversion is running", suggestion: "Cancel its job first." },
  "image-not-found": {
    status: 404,
    title: "No such image",
    suggestion: "The first image is 0, the last imageCount - 1.",
  },
  "use-conversion-id": {
    status: 422,
    title: "A folder of the server is not accepted",
    suggestion: "Send conversionId, or the ids of uploaded images.",
  },
  "source-required": {
    status: 422,
    title: "What to open is missing",
    suggestion: "Send exactly one of conversionId and fileIds.",
  },
  "not-an-image": { status: 422, title: "Not an image", suggestion: "Send the PNG images that sealing made." },
  "lossy-image": {
    status: 422,
    title: "The image was re-encoded with loss",
    suggestion: "Find the original PNG: a JPEG or resized copy cannot be opened.",
  },
  "image-too-large": {
    status: 422,
    title: "The image is too large to open",
    suggestion: "At most 64 MiB of RGB bytes an image.",
  },
  "image-unsupported": {
    status: 422,
    title: "Unsupported kind of image",
    suggestion: "Send 8-bit RGB or RGBA without interlace.",
  },
  "image-damaged": { status: 422, title: "The image is damaged", suggestion: "Download it again." },
  "not-sealed": {
    status: 422,
    title: "The image holds no sealed audio",
    suggestion: "Send the images that sealing made, unresized.",
  },
  "header-damaged": { status: 422, title: "The sealed header is damaged", suggestion: "Download the image again." },
  "image-altered": {
    status: 422,
    title: "The image was altered",
    suggestion: "Its content fails authentication: find the original.",
  },
  "images-mixed": {
    status: 422,
    title: "Images of different conversions",
    suggestion: "Send the images of one conversion.",
  },
  "images-missing": {
    status: 422,
    title: "Images are missing",
    suggestion: "Add the images with the indices listed in missing.",
  },
  "image-doubled": {
    status: 422,
    title: "One index has two different images",
    suggestion: "Remove the one that does not belong.",
  },
  "opened-hash-mismatch": {
    status: 422,
    title: "The opened bytes fail their checksum",
    suggestion: "One of the images is not the original.",
  },
  "too-many-images": { status: 422, title: "Too many images", suggestion: "At most 1,000 images at once." },
  "archive-invalid": {
    status: 422,
    title: "The ZIP cannot be read",
    suggestion: "Pack the images again, without a password.",
  },
  "encryption-key-not-found": {
    status: 404,
    title: "No such encryption key",
    suggestion: "See GET /v1/encryption-keys.",
  },
  "encryption-key-deactivated": {
    status: 409,
    title: "The encryption key is deactivated",
    suggestion: "Images sealed with it cannot be opened.",
  },
  "encryption-key-moving": {
    status: 409,
    title: "Images still depend on the rotated key",
    suggestion: "Wait until the job `jobId` has moved what is left, or add force=true to give it up.",
  },
  "encryption-key-destroyed": {
    status: 410,
    title: "The data key was destroyed",
    suggestion: "The conversion was deleted: its images cannot be opened any more.",
  },
  "encryption-key-wrong": {
    status: 422,
    title: "No key opens these images",
    suggestion: "Import the key they were sealed with, or give masterKeyHex and userId.",
  },
  "encryption-key-invalid": {
    status: 422,
    title: "The key is invalid",
    suggestion: "A master key is 64 hexadecimal characters with at least 16 different bytes.",
  },
  "encryption-key-exists": {
    status: 409,
    title: "This key is imported already",
    suggestion: "Use the key that exists.",
  },
  "encryption-key-not-rotatable": {
    status: 409,
    title: "The key cannot be rotated",
    suggestion: "Only an active user key can be rotated.",
  },
  "encryption-key-limit-reached": {
    status: 409,
    title: "Too many imported keys",
    suggestion: "Deactivate imports that are not used: at most 50 a workspace.",
  },
  "encryption-key-damaged": {
    status: 409,
    title: "A stored key is damaged",
    suggestion: "Restore the database from a backup: the stored key fails authentication.",
  },
  "request-key-erased": {
    status: 409,
    title: "The key given with the request is gone",
    suggestion: "Start the conversion again with masterKeyHex.",
  },
  "source-changed": {
    status: 409,
    title: "The file changed while it was sealed",
    suggestion: "Start the conversion again.",
  },
} as const satisfies Record<string, ProblemKind>;
