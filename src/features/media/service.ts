/**
 * What other features may use of uploads and files. Their jobs, which must not reach a service, use `storage.ts` and `store.ts`
 * (`fileRowInsert`, `findFile`) directly.
 */
export { getFile, listFilesById, toFile } from "./file-service.ts";
export { type FormFile, storeStream } from "./form-upload.ts";
export { releaseStorage, reserveStorage, settleStorage } from "./storage.ts";
export { guardFile, isGuardFailure } from "./store.ts";
export type { FileRow } from "./tables.ts";
