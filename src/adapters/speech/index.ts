/** The providers of speech to text, by the name of their adapter. */
import type { SpeechAdapterName, SpeechProvider } from "./contract.ts";
import { deepgram } from "./deepgram/index.ts";
import { elevenLabs } from "./elevenlabs/index.ts";
import { openai } from "./openai/index.ts";
import { workersAi } from "./workers-ai/index.ts";

export const speechProviders: Record<SpeechAdapterName, SpeechProvider> = {
  openai,
  "workers-ai": workersAi,
  deepgram,
  elevenlabs: elevenLabs,
};
