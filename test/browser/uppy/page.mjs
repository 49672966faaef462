/** What the test page does with Uppy as it is published: `uppyMajor` is set when this is bundled. Knows a URL, and no other credential. */
import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";
import GoldenRetriever from "@uppy/golden-retriever";

const chunkBytes = 5 * 1024 * 1024;
let uppy;

/** Resolves with the files that were kept over a reload, by whether they have to be picked again. */
function start(endpoint) {
  const where = uppyMajor === 6 ? { companionEndpoint: endpoint } : { endpoint };
  uppy = new Uppy({ id: "test", autoProceed: false });
  uppy.use(AwsS3, { ...where, shouldUseMultipart: true, getChunkSize: () => chunkBytes, limit: 1 });
  const restored = new Promise((resolve) => {
    uppy.once("restored", () => resolve(uppy.getFiles().map((file) => Boolean(file.isGhost))));
    setTimeout(() => resolve([]), 2_000);
  });
  uppy.use(GoldenRetriever, { expires: 600_000 });
  return restored;
}

function pick() {
  const [file] = document.querySelector("#file").files;
  uppy.addFile({ name: file.name, type: file.type, data: file });
}

const uploadIds = () => uppy.getFiles().map((file) => file.s3Multipart?.uploadId ?? null);

/** Begins, and pauses when a part is in storage. */
function beginUpload() {
  const sent = new Promise((resolve) =>
    uppy.once("s3-multipart:part-uploaded", () => {
      uppy.pauseAll();
      resolve(uploadIds());
    }),
  );
  uppy.upload().catch(() => undefined);
  return sent;
}

const ended = () =>
  new Promise((resolve) => {
    uppy.once("complete", ({ successful, failed }) =>
      resolve({
        uploaded: successful.map((file) => file.uploadURL),
        failed: failed.map((file) => String(file.error)),
      }),
    );
  });

/** Uploads what was picked in one go. */
function upload() {
  const end = ended();
  uppy.upload().catch(() => undefined);
  return end;
}

/** Uploads what was picked; pauses at the first part, and goes on when nothing more was heard for a moment. */
async function uploadWithPause() {
  const end = ended();
  await beginUpload();
  let heard = 0;
  const count = () => void (heard += 1);
  await new Promise((resolve) => setTimeout(resolve, 300));
  uppy.on("s3-multipart:part-uploaded", count);
  await new Promise((resolve) => setTimeout(resolve, 300));
  uppy.off("s3-multipart:part-uploaded", count);
  uppy.resumeAll();
  return { heardWhilePaused: heard, ...(await end) };
}

/** After a reload and a second pick: what Uppy's own Dashboard does when its user agrees to go on. */
function goOn() {
  const before = uploadIds();
  const end = ended();
  uppy.emit("restore-confirmed");
  return end.then((result) => ({ before, ...result }));
}

async function hashPicked() {
  const [file] = document.querySelector("#file").files;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

globalThis.actions = { start, pick, beginUpload, upload, uploadWithPause, goOn, hashPicked };
