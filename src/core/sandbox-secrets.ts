/** The credentials of the simulated companies: a function of the deployment's master key, so that nobody has to set them or can guess them. */
import { createHmac } from "node:crypto";
import type { Settings } from "./env.ts";

export interface SandboxSecrets {
  secretKey: string;
  webhookSecret: string;
}

export function sandboxSecrets(settings: Pick<Settings, "masterKeys">, company: string): SandboxSecrets {
  const derive = (purpose: string) =>
    createHmac("sha256", settings.masterKeys[0].raw).update(`sandbox ${company} ${purpose}`).digest("hex").slice(0, 40);
  return { secretKey: `sandbox_${derive("key")}`, webhookSecret: `whsec_${derive("webhook")}` };
}

/** Where the simulator of a company stands in the Worker itself. */
export function sandboxBase(settings: Pick<Settings, "publicUrl">, company: string): string {
  return `${settings.publicUrl}/__sandbox/${company}`;
}
