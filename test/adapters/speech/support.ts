/** The adapters against the simulated companies in this isolate, or against one answer that a test makes up. */
import { outboundOf } from "#adapters/outbound";
import type { SpeechAdapterName, SpeechCtx, SpeechRequest, SpeechTarget } from "#adapters/speech/contract";
import { answerSandbox } from "#sandbox/index";
import { systemContext } from "#test/support/harness";

export const usualModels: Record<SpeechAdapterName, string> = {
  openai: "whisper-1",
  "workers-ai": "@cf/openai/whisper-large-v3-turbo",
  deepgram: "nova-3",
  elevenlabs: "scribe_v1",
};

export function targetOf(adapter: SpeechAdapterName, more: Partial<SpeechTarget> = {}): SpeechTarget {
  const base = "https://sandbox.example/__sandbox/speech";
  const baseUrl = adapter === "workers-ai" ? base : `${base}/v1`;
  return { adapter, baseUrl, secret: "sk-sandbox-test", model: usualModels[adapter], isTenantUrl: false, ...more };
}

export function requestOf(audio: Uint8Array<ArrayBuffer>, more: Partial<SpeechRequest> = {}): SpeechRequest {
  return {
    audio,
    fileName: "talk.wav",
    contentType: "audio/wav",
    language: null,
    prompt: null,
    temperature: null,
    wantsWords: true,
    wantsSpeakers: false,
    ...more,
  };
}

/** @param answer what the network says; the sandbox, unless a test knows better */
export function contextOf(answer?: (request: Request) => Response | Promise<Response>): SpeechCtx {
  const ctx = systemContext();
  const deliver = async () => new Response(null, { status: 404 });
  const call = async (request: Request | string, options?: RequestInit) => {
    const asked = new Request(request as string, options as never) as unknown as Request;
    return answer ? answer(asked) : answerSandbox({ ...ctx, deliver }, asked);
  };
  return { ...ctx, outbound: outboundOf(ctx.settings, call) };
}
