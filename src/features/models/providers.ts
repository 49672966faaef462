/** One provider as catalogue, environment and superadmins together describe it; what superadmins set comes first. */
import { isProviderName, type ProviderFacts, providers } from "#adapters/llm/catalogue";
import type { Dialect } from "#adapters/llm/contract";
import type { WorkspaceCtx } from "#core/context";
import type { Overrides, StoredProvider } from "./overrides.ts";

export interface Provider {
  name: string;
  displayName: string;
  dialect: Dialect;
  /** System C's way to name it in a model id. */
  prefix: string | null;
  isBuiltIn: boolean;
  enabled: boolean;
  /** Null: nobody said where it is. */
  baseUrl: string | null;
  /** The address was named for this deployment. */
  isNamedUrl: boolean;
  needsKey: boolean;
  secret: string | null;
  keySource: "stored" | "environment" | null;
}

type StoredMembers = Pick<
  StoredProvider,
  "enabled" | "displayName" | "dialect" | "baseUrl" | "secret" | "wrappedSecret"
>;
const notStored: StoredMembers = {
  enabled: true,
  displayName: null,
  dialect: null,
  baseUrl: null,
  secret: null,
  wrappedSecret: null,
};
const notSet = { baseUrl: null, key: null };

/** Nothing is known of a provider of the deployment's own: it speaks OpenAI's dialect, and may ask for no key. */
function factsOf(name: string): ProviderFacts {
  if (isProviderName(name)) return providers[name];
  return { displayName: name, dialect: "openai", baseUrl: null, prefix: null, needsKey: false };
}

export function providerOf(
  { settings }: Pick<WorkspaceCtx, "settings">,
  overrides: Pick<Overrides, "providers">,
  name: string,
): Provider {
  const facts = factsOf(name);
  const stored: StoredMembers = overrides.providers.get(name) ?? notStored;
  const { modelProviders } = settings;
  const setting = (Object.hasOwn(modelProviders, name) ? modelProviders[name] : undefined) ?? notSet;
  const named = stored.baseUrl ?? setting.baseUrl;
  return {
    name,
    displayName: stored.displayName ?? facts.displayName,
    dialect: stored.dialect ?? facts.dialect,
    prefix: facts.prefix,
    isBuiltIn: isProviderName(name),
    enabled: stored.enabled,
    baseUrl: named ?? facts.baseUrl,
    isNamedUrl: named !== null,
    needsKey: facts.needsKey,
    secret: stored.secret ?? setting.key,
    keySource: keySourceOf(stored, setting),
  };
}

function keySourceOf(stored: StoredMembers, setting: { key: string | null }): Provider["keySource"] {
  if (stored.wrappedSecret !== null) return "stored";
  return setting.key === null ? null : "environment";
}

/** Of the catalogue, of the environment and of overrides. The simulator is none of them. */
export function providerNamesOf({ settings }: Pick<WorkspaceCtx, "settings">, overrides: Overrides): string[] {
  const names = [...Object.keys(providers), ...Object.keys(settings.modelProviders), ...overrides.providers.keys()];
  return [...new Set(names)].filter((name) => name !== "sandbox").toSorted();
}
