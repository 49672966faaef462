/**
 * What other features may use of uploads and files. Their jobs, which must not reach a service, use `storage.ts` and `store.ts`
 * (`fileRowInsert`, `findFile`, `settleStorage`) directly.
 */
export { completeUpload, requireUpload } from "./complete-upload.ts";
export { getFile, listFilesById } from "./file-service.ts";
export { storeStream } from "./form-upload.ts";
export { listStoredParts } from "./stored-parts.ts";
export { abortUpload, createUnsizedUpload, handleParts } from "./upload-service.ts";
export { type AgreedType, requireClaimedType } from "./rules.ts";
export { releaseStorage, reserveStorage } from "./storage.ts";
export { guardFile, isGuardFailure } from "./store.ts";
export type { FileRow, UploadRow } from "./tables.ts";
