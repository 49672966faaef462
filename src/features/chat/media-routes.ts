/** Speech, recordings and pictures under OpenAI's paths. */
import { rawEndpoint } from "#core/endpoint";
import { editImages } from "./image-edits.ts";
import {
  imageEditForm,
  imagesBody,
  pictures,
  recordingBody,
  recordingForm,
  speechBody,
  transcript,
} from "./media-shapes.ts";
import { operations } from "./operations.ts";
import { hear } from "./recordings.ts";
import { bodyBytesMax, modelProblems } from "./routes.ts";
import { serveModel } from "./serve.ts";
import { createSpeech } from "./speech.ts";

const formProblems = [
  "form-invalid",
  "form-file-missing",
  "file-empty",
  "use-direct-upload",
  "unsupported-content-type",
  "validation-failed",
] as const;

const ofRecordings = {
  access: "models:use",
  method: "post",
  limitClass: "chat",
  errors: "openai",
  problems: [...modelProblems, ...formProblems, "file-not-found", "body-too-large", "invalid-json"],
  consumes: { "multipart/form-data": recordingForm, "application/json": recordingBody },
  returns: transcript,
  produces: { "application/json": "what was said", "text/plain": "with `response_format` text, srt or vtt" },
} as const;

export const mediaRoutes = [
  rawEndpoint({
    ...ofRecordings,
    name: "createTranscription",
    path: "/v1/audio/transcriptions",
    summary: "Write down what was said",
    description:
      "A form is passed on as it arrives, up to 95 MiB; or name a file of the workspace in JSON. Billed by seconds.",
    handle: (ctx, { request }) => hear(ctx, "transcriptions", request),
  }),
  rawEndpoint({
    ...ofRecordings,
    name: "createTranslation",
    path: "/v1/audio/translations",
    summary: "Write down in English what was said",
    description:
      "A form is passed on as it arrives, up to 95 MiB; or name a file of the workspace in JSON. Billed by seconds.",
    handle: (ctx, { request }) => hear(ctx, "translations", request),
  }),
  rawEndpoint({
    name: "editImages",
    method: "post",
    path: "/v1/images/edits",
    summary: "Make pictures out of others",
    access: "models:use",
    limitClass: "chat",
    errors: "openai",
    problems: [...modelProblems, ...formProblems],
    consumes: { "multipart/form-data": imageEditForm },
    returns: pictures,
    produces: { "application/json": "the pictures, in base64 or by their addresses" },
    handle: (ctx, { request }) => editImages(ctx, request),
  }),
  rawEndpoint({
    name: "createSpeech",
    method: "post",
    path: "/v1/audio/speech",
    summary: "Speak a text",
    description: "The sound is passed on as it comes. Four characters of the text are one token.",
    access: "models:use",
    limitClass: "chat",
    errors: "openai",
    problems: modelProblems,
    body: speechBody,
    produces: { "audio/mpeg": "the sound, in the format that was asked for" },
    handle: (ctx, { body, request }) => createSpeech(ctx, { body, request }),
  }),
  rawEndpoint({
    name: "createImages",
    method: "post",
    path: "/v1/images/generations",
    summary: "Make pictures",
    access: "models:use",
    limitClass: "chat",
    bodyBytesMax,
    errors: "openai",
    problems: modelProblems,
    body: imagesBody,
    returns: pictures,
    produces: { "application/json": "the pictures, in base64 or by their addresses" },
    handle: (ctx, { body, request }) => serveModel(ctx, { operation: operations.images, body, request }),
  }),
];
