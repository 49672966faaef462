/**
 * Makes dist/trimmed: the Stripe SDK, the passkey library and mediabunny without the parts that nothing of ours reaches, and the list of
 * common passwords, packed. What stays is their own code, file by file. What is left out throws when it is used, and has no type, so that a
 * change of ours that needs it is noticed at once.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { packWords } from "../src/lib/packed-words.ts";

interface Library {
  /** What of the package is wanted. */
  source: string;
  types: string;
  package: string;
  /** Where its modules are; `esm` unless told. */
  modules?: string;
  /** Files of that folder that are left out. */
  leftOut: (file: string) => boolean;
  /** What is read in place of a file of that folder; it imports relative to our own folder. */
  replaced?: Record<string, string>;
  /** Files of that folder that have to be met: a version that no longer has them needs this list to be read again. */
  known: readonly string[];
  /** Packages that nothing of what stays may ask for. */
  unwanted: RegExp;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "dist/trimmed");

const stripeMembers = {
  billingPortal: ["BillingPortal/index", "BillingPortal/Sessions"],
  checkout: ["Checkout/index", "Checkout/Sessions"],
  creditNotes: ["CreditNotes"],
  customers: ["Customers"],
  invoices: ["Invoices"],
  prices: ["Prices"],
  products: ["Products"],
  subscriptions: ["Subscriptions"],
  subscriptionSchedules: ["SubscriptionSchedules"],
};
const stripeFiles = Object.values(stripeMembers).flatMap((names) => names.map((name) => `resources/${name}.js`));
const stripeEvents = "StripeEventNotificationHandler.js";
/** Amounts with fractions of a cent stay the text that Stripe sent, and a list has no methods that go through all of its pages. */
const stripeReplaced = {
  "Decimal.js": "export const Decimal = { from: (text) => text };",
  "autoPagination.js": "export const makeAutoPaginationMethods = () => ({});",
};
const members = [...Object.keys(stripeMembers), "webhooks"].map((name) => JSON.stringify(name)).join(" | ");

/**
 * We ask for no attestation. Browsers then send none, or one that the key made of itself, which needs no certificate (WebAuthn level 3,
 * section 5.1.3 step 22): the formats that do, and X.509 with them, are left out and so refused.
 */
const attestationFiles = [
  "helpers/convertX509PublicKeyToCOSE.js",
  "helpers/getCertificateInfo.js",
  "helpers/isCertRevoked.js",
  "helpers/validateCertificatePath.js",
  "helpers/validateExtFIDOGenCEAAGUID.js",
  "metadata/verifyAttestationWithMetadata.js",
  "registration/verifications/tpm/verifyAttestationTPM.js",
  "registration/verifications/verifyAttestationAndroidKey.js",
  "registration/verifications/verifyAttestationAndroidSafetyNet.js",
  "registration/verifications/verifyAttestationApple.js",
  "registration/verifications/verifyAttestationFIDOU2F.js",
  "services/defaultRootCerts/android-key.js",
  "services/defaultRootCerts/android-safetynet.js",
  "services/defaultRootCerts/apple.js",
  "services/defaultRootCerts/mds.js",
  "services/metadataService.js",
];
const signatureFile = "helpers/iso/isoCrypto/unwrapEC2Signature.js";

const media = `BufferTarget, CustomSource, EncodedAudioPacketSource, EncodedPacket, EncodedPacketSink, FLAC, FlacOutputFormat, Input,
  Logging, LogLevel, MP4, Mp4OutputFormat, OGG, OggOutputFormat, Output, QTFF, WEBM, WebMOutputFormat`;

const libraries: Record<string, Library> = {
  stripe: {
    source: 'export { Stripe } from "stripe";',
    types: `import type { Stripe as Whole } from "stripe";
export type Stripe = Pick<Whole, ${members}>;
export declare const Stripe: Pick<typeof Whole, "createFetchHttpClient" | "createSubtleCryptoProvider"> & {
  new (...given: ConstructorParameters<typeof Whole>): Stripe;
};
`,
    package: "stripe",
    leftOut: (file) => file === stripeEvents || (/^resources[./]/.test(file) && !stripeFiles.includes(file)),
    replaced: stripeReplaced,
    known: [...stripeFiles, ...Object.keys(stripeReplaced), stripeEvents],
    unwanted: /^node:/,
  },
  passkeys: {
    source: `export { generateAuthenticationOptions, generateRegistrationOptions, verifyAuthenticationResponse,
  verifyRegistrationResponse } from "@simplewebauthn/server";`,
    types: `export { generateAuthenticationOptions, generateRegistrationOptions, verifyAuthenticationResponse,
  verifyRegistrationResponse } from "@simplewebauthn/server";
`,
    package: "@simplewebauthn/server",
    leftOut: (file) => attestationFiles.includes(file),
    // In place of 80 KiB that read any ASN.1.
    replaced: {
      [signatureFile]: 'export { rawEcdsaSignature as unwrapEC2Signature } from "./src/lib/ecdsa-signature.ts";',
    },
    known: [...attestationFiles, signatureFile],
    unwanted: /^(@peculiar\/|asn1js$|reflect-metadata$)/,
  },
  mediabunny: {
    source: `export { ${media} } from "mediabunny";`,
    types: `export { ${media}, type AudioCodec, type InputAudioTrack } from "mediabunny";
`,
    package: "mediabunny",
    modules: "dist/modules/src",
    leftOut: () => false,
    // Ours come from ranges and go into memory: no file system.
    known: ["source.js", "target.js"],
    unwanted: /^node:/,
  },
};

/** A client of Stripe makes one of each of its resources, so making one has to be possible; everything else throws. */
const refusal = `export function leftOut(name) {
  const refuse = () => {
    throw new Error(name + " is left out of this build (scripts/trim.ts)");
  };
  const inert = new Proxy({}, { get: refuse, set: refuse, has: refuse });
  return new Proxy(class {}, { construct: () => inert, apply: refuse, get: refuse, set: refuse, has: refuse });
}`;

export function exportedNames(path: string): string[] {
  const text = readFileSync(path, "utf8");
  const declared = text.matchAll(/^export (?:async )?(?:class|const|function) (\w+)/gm);
  const passedOn = text.matchAll(/^export \{ (\w+) \} from/gm);
  return [...declared, ...passedOn].map((match) => match[1] ?? "");
}

/** `met` takes each file of the package that was read. */
function trimming(library: Library, met: Set<string>): Plugin {
  const start = `/node_modules/${library.package}/${library.modules ?? "esm"}/`;
  return {
    name: "trim",
    setup(plugin) {
      plugin.onResolve({ filter: /^left-out$/ }, () => ({ path: "left-out", namespace: "trim" }));
      plugin.onResolve({ filter: library.unwanted }, ({ path, importer }) => ({
        errors: [{ text: `${importer} brings ${path} back: leave it out as well` }],
      }));
      plugin.onLoad({ filter: /.*/, namespace: "trim" }, () => ({ contents: refusal }));
      plugin.onLoad({ filter: /\.js$/ }, ({ path }) => {
        const file = path.replaceAll("\\", "/").split(start)[1];
        if (file === undefined) return null;
        met.add(file);
        const ours = library.replaced?.[file];
        if (ours !== undefined) return { contents: ours, resolveDir: root };
        return library.leftOut(file) ? { contents: refusing(exportedNames(path)) } : null;
      });
    },
  };
}

function refusing(names: readonly string[]): string {
  const lines = names.map((name) => `export const ${name} = /* @__PURE__ */ leftOut(${JSON.stringify(name)});`);
  return ['import { leftOut } from "left-out";', ...lines].join("\n");
}

async function trimmed(library: Library): Promise<string> {
  const met = new Set<string>();
  const result = await build({
    stdin: { contents: library.source, resolveDir: root, loader: "js" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    plugins: [trimming(library, met)],
    logLevel: "error",
  });
  const missing = library.known.filter((file) => !met.has(file));
  if (missing.length > 0) throw new Error(`${library.package} has no ${missing.join(", ")}: read what it has now`);
  const [file] = result.outputFiles;
  if (!file) throw new Error("nothing was built");
  return file.text;
}

/** Several processes may do this at once, and a server that watches the file must not see it change for nothing. */
function keep(name: string, text: string): void {
  const path = join(folder, name);
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  const made = `${path}.${process.pid}`;
  writeFileSync(made, text);
  renameSync(made, path);
}

/** As a list of lines it takes a quarter more of the bundle. */
function commonPasswords(): string {
  const list = readFileSync(join(root, "src/features/accounts/common-passwords.txt"), "utf8");
  return packWords(list.split("\n").filter(Boolean));
}

export async function trim(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const [name, library] of Object.entries(libraries)) {
    keep(`${name}.js`, await trimmed(library));
    keep(`${name}.d.ts`, library.types);
  }
  keep("common-passwords.js", `export default ${JSON.stringify(commonPasswords())};\n`);
  keep("common-passwords.d.ts", "declare const packed: string;\nexport default packed;\n");
}

if (import.meta.main) await trim();
