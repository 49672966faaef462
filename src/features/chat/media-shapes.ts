/** Bodies of speech, recordings and pictures, as OpenAI's API reference names their members; those that are not listed go to the provider as they came. */
import * as z from "zod";
import { shape } from "#core/shape";

const model = () => z.string().min(1).max(200).meta({ description: "Of GET /v1/models." });
const user = () => z.string().max(512).optional();
const file = () => z.string().meta({ format: "binary" });

export const speechBody = shape(() =>
  z
    .looseObject({
      model: model().meta({ example: "tts-1" }),
      input: z.string().min(1).max(4_096).meta({ example: "Hello." }),
      voice: z.union([z.string().min(1).max(100), z.looseObject({ id: z.string() })]).meta({ example: "alloy" }),
      response_format: z.enum(["mp3", "opus", "aac", "flac", "wav", "pcm"]).optional(),
      speed: z.number().min(0.25).max(4).optional(),
      stream_format: z.literal("audio", { error: "Sound as events is not available here." }).optional(),
    })
    .meta({ id: "SpeechCreate" }),
);

export const imagesBody = shape(() =>
  z
    .looseObject({
      model: model().default("gpt-image-1"),
      prompt: z.string().min(1).max(32_000).meta({ example: "A lighthouse in the fog" }),
      n: z.number().int().min(1).max(10).nullable().optional(),
      quality: z.string().max(20).nullable().optional(),
      response_format: z.enum(["b64_json", "url"]).nullable().optional(),
      stream: z.literal(false, { error: "Pictures as events are not available here." }).nullable().optional(),
      user: user(),
    })
    .meta({ id: "ImagesGenerate" }),
);

export const recordingBody = shape(() =>
  z
    .looseObject({
      fileId: z.string().min(1).max(100).meta({ description: "A file of the workspace." }),
      model: model().meta({ example: "whisper-1" }),
      response_format: z.enum(["json", "text", "srt", "verbose_json", "vtt"]).optional(),
      language: z.string().max(20).optional(),
      prompt: z.string().max(20_000).optional(),
      temperature: z.number().min(0).max(1).optional(),
      timestamp_granularities: z
        .array(z.enum(["word", "segment"]))
        .max(2)
        .optional(),
      stream: z.literal(false, { error: "Transcripts as events are not available here." }).optional(),
    })
    .meta({ id: "RecordingOfFile" }),
);

export const recordingForm = shape(() =>
  z
    .looseObject({
      model: model().meta({ description: "Before the file, so that a large one need not wait.", example: "whisper-1" }),
      response_format: z.enum(["json", "text", "srt", "verbose_json", "vtt"]).optional(),
      language: z.string().optional(),
      prompt: z.string().optional(),
      temperature: z.string().optional(),
      file: file().meta({ description: "At most 95 MiB." }),
    })
    .meta({ id: "RecordingForm" }),
);

export const imageEditForm = shape(() =>
  z
    .looseObject({
      model: model().optional().meta({ example: "gpt-image-1" }),
      prompt: z.string().min(1).max(32_000),
      n: z.string().optional().meta({ description: "1 to 10." }),
      image: z.array(file()).max(16).meta({ description: "At most 95 MiB in all; `image[]` is taken, too." }),
      mask: file().optional(),
    })
    .meta({ id: "ImageEditForm" }),
);

export const transcript = shape(() =>
  z.looseObject({ text: z.string() }).meta({ id: "ModelTranscript", description: "OpenAI's transcription object." }),
);

export const pictures = shape(() =>
  z
    .looseObject({
      created: z.number().optional(),
      data: z.array(z.looseObject({ b64_json: z.string().optional(), url: z.string().optional() })),
    })
    .meta({ id: "ModelPictures", description: "OpenAI's images response, with `_usage_info` beside it." }),
);
