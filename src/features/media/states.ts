/** The closed lists of words in rows and answers about uploads and files. */

export const uploadStatuses = ["pending", "uploading", "completing", "ready", "failed", "expired", "aborted"] as const;
export type UploadStatus = (typeof uploadStatuses)[number];

/** Bytes may still arrive. */
export const openStatuses = ["pending", "uploading"] as const satisfies readonly UploadStatus[];
/** Not ended: counts against the limit of unfinished uploads and holds a reservation of storage. */
export const unfinishedStatuses = ["pending", "uploading", "completing"] as const satisfies readonly UploadStatus[];

/**
 * What a client chooses between by the size it declares. `unsized`: parts of any size up to a maximum, for clients
 * that say no size before the end (upload tickets).
 */
export const clientStrategies = ["multipart", "single", "unsized"] as const;
/** `form`: streamed through the Worker by an older client; such an upload has no URLs and is not listed. */
export type UploadStrategy = (typeof clientStrategies)[number] | "form";

export const fileKinds = ["audio", "video", "image", "archive", "document"] as const;
export type FileKind = (typeof fileKinds)[number];

export const fileOrigins = ["upload", "opened"] as const;
export type FileOrigin = (typeof fileOrigins)[number];
