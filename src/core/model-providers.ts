/**
 * Model providers as a deployment configures them: `PROVIDER_<NAME>_BASE_URL` and `PROVIDER_<NAME>_KEY`, and the older systems' names of
 * the same. Refuses an address or a key that could only fail at the first call, and names the variable, never the value.
 */

export interface ModelProviderSetting {
  /** Without a slash at the end. Null: the provider's own address, which the catalogue knows. */
  baseUrl: string | null;
  key: string | null;
}

/** Those whose address is the same for everybody; all others have to be given theirs. */
export const providersWithAddress: readonly string[] = [
  "openai",
  "anthropic",
  "a4f",
  "openrouter",
  "glama",
  "requesty",
  "aiml",
  "groq",
];

/** What systems B and C called them. */
const olderNames = {
  WAPI_URL: "PROVIDER_WAPI_BASE_URL",
  WAPI_KEY: "PROVIDER_WAPI_KEY",
  A4F_API_KEY: "PROVIDER_A4F_KEY",
} as const;

const variablePattern = /^PROVIDER_([A-Z0-9]+(?:_[A-Z0-9]+)*)_(BASE_URL|KEY)$/;
const keyPattern = /^[\x21-\x7e]{1,4096}$/;
const maxProviders = 50;

type Values = Readonly<Record<string, unknown>>;

/** By name: `PROVIDER_WORKERS_AI_KEY` is `workers-ai`. `fault` is told of each variable that is wrong. */
export function readModelProviders(env: Values, fault: (words: string) => void): Record<string, ModelProviderSetting> {
  const found: Record<string, ModelProviderSetting> = {};
  for (const [variable, source, value] of namedValues(env)) {
    const [, name = "", what] = variablePattern.exec(variable) ?? [];
    const setting = (found[providerName(name)] ??= { baseUrl: null, key: null });
    if (what === "KEY") setting.key = readKey(value) ?? wrong(fault, `${source}: not a key (printable ASCII)`);
    else setting.baseUrl = readBaseUrl(value) ?? wrong(fault, `${source}: not an absolute http or https URL`);
  }
  if (Object.keys(found).length > maxProviders) fault(`PROVIDER_*: more than ${maxProviders}`);
  const isProduction = env["ENVIRONMENT"] === "production";
  for (const [name, setting] of Object.entries(found)) {
    const words = faultOf(name, setting, { isProduction });
    if (words !== null) fault(`PROVIDER_${name.toUpperCase().replaceAll("-", "_")}${words}`);
  }
  return found;
}

/** What is wrong with a provider as a whole. */
function faultOf(
  name: string,
  { baseUrl, key }: ModelProviderSetting,
  { isProduction }: { isProduction: boolean },
): string | null {
  if (name === "sandbox") return ": the simulator cannot be configured";
  if (key === null) return null;
  if (baseUrl === null) return providersWithAddress.includes(name) ? null : "_BASE_URL: missing";
  return isProduction && baseUrl.startsWith("http:") ? "_BASE_URL: a key may travel by https only" : null;
}

function wrong(fault: (words: string) => void, words: string): null {
  fault(words);
  return null;
}

function providerName(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/** Variable of today, the variable as it is named in the environment, value. Today's name wins over the older one. */
function namedValues(env: Values): [string, string, string][] {
  const values: [string, string, string][] = [];
  for (const [older, today] of Object.entries(olderNames)) {
    const value = env[older];
    if (isSet(value) && !isSet(env[today])) values.push([today, older, String(value)]);
  }
  for (const [name, value] of Object.entries(env))
    if (variablePattern.test(name) && isSet(value)) values.push([name, name, String(value)]);
  return values;
}

function isSet(value: unknown): value is string | number {
  return (typeof value === "string" && value !== "") || typeof value === "number";
}

function readKey(value: string): string | null {
  return keyPattern.test(value) ? value : null;
}

/** System B's variable holds the whole address of its one operation. */
function readBaseUrl(value: string): string | null {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") return null;
  if (url.search !== "" || url.hash !== "") return null;
  return url.href.replace(/\/+$/, "").replace(/\/chat\/completions$/, "");
}
