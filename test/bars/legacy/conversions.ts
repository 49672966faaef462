/** System A's conversions as its first client called them: form in, result in the same answer, history, files, ZIP, deletion. */
import { unzipSync } from "fflate";
import { sha256Of } from "../random.ts";
import type { LegacyPerson } from "./accounts.ts";
import { checkMembers, formOf, type Json, type LegacyClient } from "./client.ts";
import { masterKeyHex, readRecording, readSealed, userName } from "./fixtures.ts";

const recording = { field: "audioFile", name: "briefing.wav", type: "audio/wav" };
const converted = {
  success: "boolean",
  message: "string",
  conversionId: "string",
  inputFile: "string",
  outputPath: "string",
  imageCount: "number",
  images: "array",
  duration: "number",
  timestamp: "time",
};
/** Three images of the recording, so that their order matters. */
const maxChunkBytes = 200_000;

function checkConverted(client: LegacyClient, what: string, body: Json, imageCount: number): void {
  checkMembers(client, what, body, converted);
  if (!body) return;
  const isEnded = body.status === undefined || body.status === "completed";
  client.check(isEnded, `synchronous: ${what} answered while the conversion is ${body.status}`);
  const counts = [body.imageCount, body.images?.length];
  client.check(
    counts.every((count) => count === imageCount),
    `shape: ${what} counts ${counts.join(" and lists ")}, not ${imageCount} images`,
  );
  client.check(body.inputFile === "briefing.wav", `shape: ${what}.inputFile is ${body.inputFile}`);
}

export async function replayConversions(client: LegacyClient, person: LegacyPerson): Promise<void> {
  const { token } = person;
  const bytes = readRecording();
  await client.call("POST", "/api/convert/audio-to-image", 401, { body: formOf({}, [{ ...recording, bytes }]) });

  const fields = {
    userId: userName,
    masterKeyHex,
    compress: "false",
    deleteSource: "false",
    maxChunkBytes: String(maxChunkBytes),
  };
  const first = await client.call("POST", "/api/convert/audio-to-image", 200, {
    token,
    body: formOf(fields, [{ ...recording, bytes }]),
  });
  checkConverted(client, "audio-to-image", first.body, Math.ceil(bytes.length / maxChunkBytes));
  const id = String(first.body?.conversionId);
  await replayDetail(client, { token, id, listed: first.body?.images ?? [] });
  await replayOpening(client, { token, id, bytes });
  await replayForeignImages(client, { token, bytes });

  const plain = await client.call("POST", "/api/audio-to-image", 200, {
    token,
    body: formOf({ userId: "default-user" }, [{ ...recording, bytes }]),
  });
  checkConverted(client, "audio-to-image without options", plain.body, 1);
  const detail = await client.call("GET", `/api/conversions/${plain.body?.conversionId}`, 200, { token });
  client.check(detail.body?.conversion?.compress === true, "compress: left out, it is not read as true");
  client.check(
    detail.body?.conversion?.format === 2,
    `answer: without a key the format is ${detail.body?.conversion?.format}, not 2`,
  );

  await replayRefusals(client, { person, bytes });
  await replayHistory(client, person);
  const gone = await client.call("DELETE", `/api/conversions/${id}`, 200, { token });
  client.check(gone.body?.success === true, "shape: deletion does not say success");
  await client.call("GET", `/api/conversions/${id}`, 404, { token });
}

interface Listed {
  token: string;
  id: string;
  listed: string[];
}

async function replayDetail(client: LegacyClient, { token, id, listed }: Listed): Promise<void> {
  const detail = await client.call("GET", `/api/conversions/${id}`, 200, { token });
  const { conversion } = detail.body ?? {};
  checkMembers(client, "detail", conversion, {
    conversionId: "string",
    userId: "string",
    inputFileName: "string",
    inputFileSize: "number",
    conversionType: "string",
    status: "string",
    outputFiles: "array",
    compress: "boolean",
    deleteSource: "boolean",
    startTime: "time",
    endTime: "time",
    duration: "number",
  });
  client.check(conversion?.compress === false, "compress: the form's false is read as true");
  client.check(conversion?.status === "completed", `answer: the task is ${conversion?.status}`);
  client.check(
    JSON.stringify(conversion?.outputFiles) === JSON.stringify(listed),
    "shape: detail lists other files than the answer did",
  );
  const pattern = /^briefing_part\d{4}_of_\d{4}\.png$/;
  client.check(
    listed.every((name) => pattern.test(name)),
    `shape: the images are called ${listed.join(", ")}`,
  );

  const hashes: string[] = [];
  for (const [index, name] of listed.entries()) {
    const image = await client.call("GET", `/api/conversions/${id}/${name}`, 200, { token });
    const hash = sha256Of(image.bytes);
    client.check(
      image.headers.get("content-type") === "image/png",
      `answer: ${name} is ${image.headers.get("content-type")}`,
    );
    client.check(hash === conversion?.images?.[index]?.sha256, `answer: ${name} has another hash than is listed`);
    hashes.push(hash);
  }
  const zip = await client.call("GET", `/api/conversions/${id}/download-zip`, 200, { token });
  const entries = Object.entries(unzipSync(zip.bytes));
  client.check(entries.map(([name]) => name).join() === listed.join(), "answer: the ZIP has other names");
  client.check(
    entries.map(([, content]) => sha256Of(content)).join() === hashes.join(),
    "answer: the ZIP has other images",
  );
}

async function replayOpening(
  client: LegacyClient,
  { token, id, bytes }: { token: string; id: string; bytes: Buffer },
): Promise<void> {
  const body = { conversionId: id, outputFileName: "opened.wav", userId: userName, masterKeyHex };
  const opened = await client.call("POST", "/api/convert/image-to-audio", 200, { token, body });
  checkMembers(client, "image-to-audio", opened.body, {
    success: "boolean",
    message: "string",
    outputFile: "string",
    conversionId: "string",
    timestamp: "time",
  });
  client.check(
    opened.body?.outputFile === "opened.wav",
    `shape: image-to-audio.outputFile is ${opened.body?.outputFile}`,
  );
  await compareOutput(client, { token, what: "the conversion's own images", answer: opened.body, bytes });
  const wrong = await client.call("POST", "/api/convert/image-to-audio", 422, {
    token,
    body: { ...body, userId: "bob" },
  });
  client.check(
    wrong.body?.code === "encryption-key-wrong",
    `refusal: another user's name is answered ${wrong.body?.code}`,
  );
}

interface Comparing {
  token: string;
  what: string;
  answer: Json;
  bytes: Buffer;
}

async function compareOutput(client: LegacyClient, { token, what, answer, bytes }: Comparing): Promise<void> {
  const content = await client.call("GET", `/api/files/${answer?.outputFileId}/content`, 200, { token });
  client.check(
    content.bytes.equals(bytes),
    `bytes: ${what} opened to other bytes (${content.bytes.length} of ${bytes.length})`,
  );
}

/** Images that system A itself made, on the path and with the fields that it used. */
async function replayForeignImages(
  client: LegacyClient,
  { token, bytes }: { token: string; bytes: Buffer },
): Promise<void> {
  const files = readSealed().map(({ name, bytes: image }) => ({
    field: "images",
    name,
    type: "image/png",
    bytes: image,
  }));
  client.check(files.length === 3, `fixtures: there are ${files.length} sealed images, not 3`);
  const fields = { userId: userName, masterKeyHex, outputFileName: "briefing.wav" };
  const opened = await client.call("POST", "/api/image-to-audio", 200, {
    token,
    body: formOf(fields, files.toReversed()),
  });
  await compareOutput(client, { token, what: "EchoCipher's images", answer: opened.body, bytes });
  const missing = await client.call("POST", "/api/convert/image-to-audio", 422, {
    token,
    body: formOf(fields, files.slice(1)),
  });
  client.check(missing.body?.code === "images-missing", `refusal: a missing image is answered ${missing.body?.code}`);
}

async function replayRefusals(
  client: LegacyClient,
  { person, bytes }: { person: LegacyPerson; bytes: Buffer<ArrayBuffer> },
): Promise<void> {
  const { token } = person;
  const folder = await client.call("POST", "/api/convert/image-to-audio", 422, {
    token,
    body: { imageDirPath: "/srv/output/abc", outputFileName: "a.wav", userId: userName, masterKeyHex },
  });
  client.check(folder.body?.code === "use-conversion-id", `refusal: imageDirPath is answered ${folder.body?.code}`);
  const wrongField = await client.call("POST", "/api/convert/audio-to-image", 422, {
    token,
    body: formOf({}, [{ ...recording, field: "other", bytes }]),
  });
  client.check(
    wrongField.body?.code === "form-file-missing",
    `refusal: a form without audioFile is answered ${wrongField.body?.code}`,
  );
  const text = new Uint8Array(Buffer.from("this is no sound"));
  await client.call("POST", "/api/convert/audio-to-image", 415, {
    token,
    body: formOf({}, [{ field: "audioFile", name: "notes.txt", type: "text/plain", bytes: text }]),
  });
  await client.call("GET", "/api/conversions/conv_00000000000000000000000000", 404, { token });
  await client.call("POST", "/api/convert/audio-to-image", 422, {
    token,
    body: formOf({ compress: "perhaps" }, [{ ...recording, bytes }]),
  });
}

async function replayHistory(client: LegacyClient, { token, userId }: LegacyPerson): Promise<void> {
  const all = await client.call("GET", "/api/conversions", 200, { token });
  checkMembers(client, "history", all.body, {
    success: "boolean",
    conversions: "array",
    total: "number",
    timestamp: "time",
  });
  const list = (all.body?.conversions ?? []) as Json[];
  client.check(list.length >= 4, `answer: the history has ${list.length} entries`);
  const page = await client.call("GET", `/api/conversions?userId=${userId}&status=completed&limit=2&skip=1`, 200, {
    token,
  });
  const completed = list.filter(({ status }) => status === "completed").map(({ conversionId }) => conversionId);
  const given = ((page.body?.conversions ?? []) as Json[]).map(({ conversionId }) => conversionId);
  client.check(
    given.join() === completed.slice(1, 3).join(),
    `answer: status, limit and skip give ${given.join()}, not ${completed.slice(1, 3).join()}`,
  );
  await client.call("GET", "/api/conversions?userId=usr_00000000000000000000000000", 404, { token });

  const stats = await client.call("GET", `/api/stats/user/${userId}`, 200, { token });
  checkMembers(client, "stats", stats.body?.data, {
    totalConversions: "number",
    completedConversions: "number",
    failedConversions: "number",
    audioToImageCount: "number",
    imageToAudioCount: "number",
    totalDataProcessed: "number",
    averageConversionTime: "number",
    successRate: "number",
  });
  const { totalConversions, completedConversions, failedConversions, successRate } = stats.body?.data ?? {};
  client.check(
    totalConversions === list.length && completedConversions === completed.length,
    `answer: the statistics count ${totalConversions} and ${completedConversions}, the history ${list.length} and ${completed.length}`,
  );
  client.check(
    successRate === completedConversions / (completedConversions + failedConversions),
    `answer: the success rate is ${successRate}`,
  );
  await client.call("GET", "/api/stats/user/usr_00000000000000000000000000", 404, { token });
}
