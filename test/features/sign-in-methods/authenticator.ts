/** A passkey authenticator in software: ES256, attestation "none" unless asked for another, every fault on demand. */

type Bytes = Uint8Array<ArrayBuffer>;

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
const text = (value: string): Bytes => new Uint8Array(Buffer.from(value));
const join = (...parts: Uint8Array[]): Bytes => new Uint8Array(Buffer.concat(parts));
const sha256 = async (bytes: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** CBOR (RFC 8949) of the few things an attestation is made of. */
function cbor(value: number | string | Uint8Array | readonly unknown[] | Map<number | string, unknown>): Bytes {
  const head = (major: number, size: number): Bytes =>
    size < 24
      ? Uint8Array.of((major << 5) | size)
      : size < 256
        ? Uint8Array.of((major << 5) | 24, size)
        : Uint8Array.of((major << 5) | 25, size >> 8, size & 255);
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return join(head(3, text(value).length), text(value));
  if (value instanceof Uint8Array) return join(head(2, value.length), value);
  if (!(value instanceof Map)) return join(head(4, value.length), ...value.map((entry) => cbor(entry as number)));
  const entries = [...value].map(([key, entry]) => join(cbor(key), cbor(entry as number)));
  return join(head(5, value.size), ...entries);
}

export interface Faults {
  origin?: string;
  rpId?: string;
  challenge?: string;
  counter?: number;
  /** Without PIN or biometrics. */
  unverified?: boolean;
  userHandle?: string;
  /** Signs something else. */
  badSignature?: boolean;
  /** Attests: with a statement of that format, "self" with one that the key signed itself. */
  attestation?: "self" | "packed" | "fido-u2f" | "tpm" | "android-key" | "android-safetynet" | "apple";
}

export async function makeAuthenticator() {
  const keys = (await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
  ])) as CryptoKeyPair;
  const raw = new Uint8Array((await crypto.subtle.exportKey("raw", keys.publicKey)) as ArrayBuffer);
  const cose = new Map<number | string, unknown>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, raw.slice(1, 33)],
    [-3, raw.slice(33)],
  ]);
  const credentialId = crypto.getRandomValues(new Uint8Array(32));
  const id = base64url(credentialId);
  let counter = 0;

  const clientData = (type: string, challenge: string, faults: Faults) =>
    text(
      JSON.stringify({
        type,
        challenge: faults.challenge ?? challenge,
        origin: faults.origin ?? "http://127.0.0.1:8787",
      }),
    );

  async function authenticatorData(faults: Faults, attested?: Bytes): Promise<Bytes> {
    counter = faults.counter ?? counter + 1;
    const flags = 0x01 | (faults.unverified ? 0 : 0x04) | (attested ? 0x40 : 0);
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, counter);
    return join(
      await sha256(text(faults.rpId ?? "127.0.0.1")),
      Uint8Array.of(flags),
      count,
      attested ?? new Uint8Array(0),
    );
  }

  async function sign(signed: Bytes): Promise<Bytes> {
    return toDer(new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, keys.privateKey, signed)));
  }

  /** WebAuthn level 3, sections 8.2 to 8.8. The certificate is none: nothing may look at it. */
  async function statement(data: Bytes, client: Bytes, faults: Faults): Promise<Map<string, unknown>> {
    if (faults.attestation === undefined) return new Map();
    const signed = faults.badSignature ? data : join(data, await sha256(client));
    const made = new Map<string, unknown>([
      ["alg", -7],
      ["sig", await sign(signed)],
    ]);
    if (faults.attestation === "self") return made;
    made.set("ver", faults.attestation === "tpm" ? "2.0" : "14799021");
    for (const name of ["certInfo", "pubArea"]) made.set(name, new Uint8Array(64));
    return made.set("response", text("e30.e30.e30")).set("x5c", [new Uint8Array(64)]);
  }

  return {
    id,
    async create(options: { challenge: string }, faults: Faults = {}) {
      const size = Uint8Array.of(0, credentialId.length);
      const data = await authenticatorData(faults, join(new Uint8Array(16), size, credentialId, cbor(cose)));
      const client = clientData("webauthn.create", options.challenge, faults);
      const { attestation = "none" } = faults;
      const object = new Map<number | string, unknown>([
        ["fmt", attestation === "self" ? "packed" : attestation],
        ["attStmt", await statement(data, client, faults)],
        ["authData", data],
      ]);
      const response = {
        clientDataJSON: base64url(client),
        attestationObject: base64url(cbor(object)),
        transports: ["internal"],
      };
      return { id, rawId: id, type: "public-key", clientExtensionResults: {}, response };
    },
    async get(options: { challenge: string }, faults: Faults = {}) {
      const data = await authenticatorData(faults);
      const client = clientData("webauthn.get", options.challenge, faults);
      const signed = faults.badSignature ? data : join(data, await sha256(client));
      const response = {
        clientDataJSON: base64url(client),
        authenticatorData: base64url(data),
        signature: base64url(await sign(signed)),
        ...(faults.userHandle === undefined ? {} : { userHandle: base64url(text(faults.userHandle)) }),
      };
      return { id, rawId: id, type: "public-key", clientExtensionResults: {}, response };
    },
  };
}

/** WebCrypto gives r and s side by side, authenticators give them as DER integers. */
function toDer(signature: Uint8Array): Bytes {
  const integer = (bytes: Uint8Array): Bytes => {
    let start = 0;
    while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
    const short = bytes.slice(start);
    const value = (short[0] ?? 0) > 127 ? join(Uint8Array.of(0), short) : join(short);
    return join(Uint8Array.of(2, value.length), value);
  };
  const both = join(integer(signature.slice(0, 32)), integer(signature.slice(32)));
  return join(Uint8Array.of(0x30, both.length), both);
}
