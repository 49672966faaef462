/** System A's later clients: the GridFS version under /api/v2, and the FastAPI one under /api/v1 with its API key. */
import { unzipSync, zipSync } from "fflate";
import { sha256Of } from "../random.ts";
import type { LegacyPerson } from "./accounts.ts";
import { checkMembers, formOf, type Json, type LegacyClient } from "./client.ts";
import { masterKeyHex, readRecording, readSealed, userName } from "./fixtures.ts";

const wav = { name: "briefing.wav", type: "audio/wav" };

export async function replayVersionTwo(client: LegacyClient, { token, userId }: LegacyPerson): Promise<void> {
  const bytes = readRecording();
  const sealed = await client.call("POST", "/api/v2/audio-to-image", 200, {
    token,
    body: formOf({ userId, compress: "true" }, [{ ...wav, field: "audio", bytes }]),
  });
  checkMembers(client, "v2 audio-to-image", sealed.body, {
    success: "boolean",
    conversionId: "string",
    userId: "string",
    originalFileName: "string",
    numImages: "number",
    totalSize: "number",
    message: "string",
  });
  client.check(
    sealed.body?.userId === userId && sealed.body?.originalFileName === "briefing.wav",
    `shape: v2 names ${sealed.body?.userId} and ${sealed.body?.originalFileName}`,
  );
  const { conversionId } = sealed.body ?? {};

  const opened = await client.call("POST", "/api/v2/image-to-audio", 200, { token, body: { userId, conversionId } });
  client.check(opened.bytes.equals(bytes), "bytes: v2 image-to-audio streams other bytes");
  client.check(
    (opened.headers.get("content-disposition") ?? "").includes("briefing.wav"),
    `answer: v2 image-to-audio names its file ${opened.headers.get("content-disposition")}`,
  );

  await replayHistory(client, { token, userId, conversionId, sizeBytes: bytes.length });
  const zip = await client.call("GET", `/api/v2/conversions/${userId}/${conversionId}/download-zip`, 200, { token });
  client.check(
    Object.keys(unzipSync(zip.bytes)).length === sealed.body?.numImages,
    "answer: the v2 ZIP has another number of images",
  );
  await client.call("GET", `/api/v2/conversions/usr_00000000000000000000000000/${conversionId}/download-zip`, 404, {
    token,
  });
  const gone = await client.call("DELETE", `/api/v2/conversions/${userId}/${conversionId}`, 200, { token });
  client.check(gone.body?.success === true, "shape: v2 deletion does not say success");
  await client.call("POST", "/api/v2/image-to-audio", 404, { token, body: { userId, conversionId } });
}

interface Remembered {
  token: string;
  userId: string;
  conversionId: string;
  sizeBytes: number;
}

async function replayHistory(
  client: LegacyClient,
  { token, userId, conversionId, sizeBytes }: Remembered,
): Promise<void> {
  const history = await client.call("GET", `/api/v2/user/${userId}/conversions`, 200, { token });
  const item = ((history.body?.conversions ?? []) as Json[]).find((one) => one.conversionId === conversionId);
  checkMembers(client, "v2 history", item, {
    conversionId: "string",
    originalFileName: "string",
    fileSize: "number",
    audioFormat: "string",
    numImages: "number",
    totalImageSize: "number",
    compressed: "boolean",
    createdAt: "time",
    createdAgo: "string",
    fileSizeReadable: "string",
  });
  client.check(
    item?.audioFormat === "wav" && item?.fileSize === sizeBytes && item?.compressed === true,
    `shape: v2 history says ${JSON.stringify(item)}`,
  );
  await client.call("GET", "/api/v2/user/usr_00000000000000000000000000/conversions", 404, { token });
}

/** Field names in snake case, an API key, a ZIP or the audio itself as the answer. */
export async function replayFastApi(client: LegacyClient, apiKey: string): Promise<void> {
  const bytes = readRecording();
  const secret = { user_id: userName, master_key: masterKeyHex };
  await client.call("POST", "/api/v1/encode", 401, { body: formOf(secret, [{ ...wav, field: "file", bytes }]) });
  const fields = { ...secret, compress: "true", max_chunk_bytes: "200000", max_width: "8192" };
  const encoded = await client.call("POST", "/api/v1/encode", 200, {
    apiKey,
    body: formOf(fields, [{ ...wav, field: "file", bytes }]),
  });
  client.check(
    encoded.headers.get("content-type") === "application/zip",
    `answer: encode answers ${encoded.headers.get("content-type")}`,
  );
  const images = Object.entries(encoded.status === 200 ? unzipSync(encoded.bytes) : {});
  client.check(
    images.length === Math.ceil(bytes.length / 200_000),
    `answer: max_chunk_bytes is not honoured: ${images.length} images`,
  );
  const documented = await client.call("POST", "/api/v1/encode", 200, {
    apiKey,
    body: formOf({ user_id: "default-user" }, [{ ...wav, field: "audio_file", bytes }]),
  });
  client.check(
    documented.headers.get("content-type") === "application/zip",
    "answer: encode does not take the documented field audio_file",
  );

  const files = images.map(([name, image]) => ({
    field: "images",
    name,
    type: "image/png",
    bytes: new Uint8Array(image),
  }));
  const decoded = await client.call("POST", "/api/v1/decode", 200, {
    apiKey,
    body: formOf({ ...secret, output_filename: "back.wav" }, files),
  });
  client.check(sha256Of(decoded.bytes) === sha256Of(bytes), "bytes: what encode made, decode opens to other bytes");
  client.check(
    (decoded.headers.get("content-disposition") ?? "").includes("back.wav"),
    `answer: output_filename is not honoured: ${decoded.headers.get("content-disposition")}`,
  );

  const packed = zipSync(Object.fromEntries(readSealed().map(({ name, bytes: image }) => [name, image])));
  const zip = { field: "file", name: "images.zip", type: "application/zip", bytes: new Uint8Array(packed) };
  const opened = await client.call("POST", "/api/v1/decode", 200, { apiKey, body: formOf(secret, [zip]) });
  client.check(opened.bytes.equals(bytes), "bytes: EchoCipher's images in a ZIP decode to other bytes");
  const wrong = await client.call("POST", "/api/v1/decode", 422, {
    apiKey,
    body: formOf({ user_id: "bob", master_key: masterKeyHex }, [zip]),
  });
  client.check(wrong.body?.code === "encryption-key-wrong", `refusal: a wrong user_id is answered ${wrong.body?.code}`);
}
