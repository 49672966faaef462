/** Bodies and answers of passkeys. What a browser makes is passed as it makes it (`PublicKeyCredential.toJSON()`). */
import * as z from "zod";
import { shape } from "#core/shape";

const bytes = () => z.string().max(20_000).meta({ description: "Base64url." });
const extensionResults = () => z.record(z.string(), z.unknown()).default({});

/** Browsers add members from version to version, so unknown ones are ignored in here and only in here. */
const credentialMembers = () => ({
  id: z.string().min(1).max(1_400),
  rawId: z.string().min(1).max(1_400),
  type: z.literal("public-key"),
  clientExtensionResults: extensionResults(),
});

export const passkeyRegisterBody = shape(() =>
  z
    .strictObject({
      name: z.string().trim().min(1).max(100).default("Passkey"),
      credential: z.object({
        ...credentialMembers(),
        response: z.object({
          clientDataJSON: bytes(),
          attestationObject: bytes(),
          transports: z.array(z.string().max(30)).max(10).optional(),
        }),
      }),
    })
    .meta({ id: "PasskeyRegistration" }),
);

export const passkeyLoginBody = shape(() =>
  z
    .strictObject({
      sessionKind: z.enum(["access-token", "opaque"]).default("access-token"),
      credential: z.object({
        ...credentialMembers(),
        response: z.object({
          clientDataJSON: bytes(),
          authenticatorData: bytes(),
          signature: bytes(),
          userHandle: z.string().max(200).nullish(),
        }),
      }),
    })
    .meta({ id: "PasskeySignIn" }),
);

export const passkeyOptionsShape = shape(() =>
  z.looseObject({ challenge: z.string(), timeout: z.number().optional() }).meta({
    id: "PasskeyOptions",
    description: "For navigator.credentials: parse it by the browser's parse...FromJSON.",
  }),
);

const passkeyObject = () =>
  z.object({
    id: z.string(),
    name: z.string(),
    isBackedUp: z.boolean(),
    transports: z.array(z.string()),
    createdAt: z.string(),
    lastUsedAt: z.string().nullable(),
  });

export const passkeyShape = shape(() => passkeyObject().meta({ id: "Passkey" }));
export const passkeysShape = shape(() => z.object({ items: z.array(passkeyShape()) }).meta({ id: "Passkeys" }));
export const passkeyParams = shape(() => z.object({ id: z.string().max(60) }));
