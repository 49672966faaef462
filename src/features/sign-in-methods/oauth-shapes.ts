/** Bodies and answers of signing in at a provider. The names of OAuth (RFC 6749, RFC 7636) stay as they are. */
import * as z from "zod";
import { legacyBody } from "#core/legacy-body";
import { shape } from "#core/shape";
import { proofPassword } from "./proof-shapes.ts";
import { signedInShape } from "#features/accounts/shapes";

export const providersShape = shape(() =>
  z
    .object({
      providers: z.array(z.string()),
      details: z.array(z.object({ name: z.string(), displayName: z.string(), loginUrl: z.string() })),
    })
    .meta({ id: "SignInProviders" }),
);

export const providerParams = shape(() => z.object({ provider: z.string().max(40).meta({ example: "google" }) }));

const startMembers = () => ({
  redirect_uri: z.string().max(2_000).optional().meta({
    description:
      "Where to return with a one-time code: an allowed origin, vscode://publisher.extension/... or http://127.0.0.1:port/.",
  }),
  code_challenge: z.string().max(200).optional().meta({ description: "S256; required with redirect_uri." }),
  code_challenge_method: z.literal("S256").optional(),
});

export const initiateBody = shape(() =>
  legacyBody({
    provider: z.string().max(40).meta({ example: "google" }),
    ...startMembers(),
    link: z.boolean().default(false).meta({ description: "Link to the signed-in person's account." }),
    password: proofPassword(),
    link_ticket: z.string().max(3_000).optional().meta({ description: "From a `link-required` answer." }),
  }).meta({ id: "OauthInitiate" }),
);

export const initiatedShape = shape(() =>
  z
    .object({
      auth_url: z.string().meta({ description: "Open it in the person's browser." }),
      state: z.string(),
      expires_in: z.number().int(),
    })
    .meta({ id: "OauthInitiated" }),
);

export const loginQuery = shape(() =>
  z.object({ state: z.string().max(200).optional(), ...startMembers() }).meta({ id: "ProviderLoginQuery" }),
);

export const exchangeBody = shape(() =>
  legacyBody({
    grant_type: z.literal("authorization_code").optional(),
    client_id: z.string().max(200).optional(),
    redirect_uri: z.string().max(2_000).optional(),
    code: z.string().max(200).optional(),
    code_verifier: z.string().max(200).optional(),
    ticket: z.string().max(3_000).optional(),
    totp_code: z.string().max(10).optional(),
    recovery_code: z.string().max(40).optional(),
    sessionKind: z.enum(["access-token", "opaque"]).default("access-token"),
  })
    .refine((body) => (body.code !== undefined && body.code_verifier !== undefined) !== (body.ticket !== undefined), {
      path: ["code"],
      message: "code and code_verifier, or a ticket with its code, are required",
    })
    .refine(
      (body) => body.ticket === undefined || (body.totp_code === undefined) !== (body.recovery_code === undefined),
      { path: ["totp_code"], message: "with a ticket, one of totp_code and recovery_code is required" },
    )
    .meta({ id: "ReturnCodeExchange" }),
);

const identityShape = shape(() =>
  z
    .object({
      id: z.string(),
      provider: z.string(),
      email: z.string().nullable(),
      displayName: z.string().nullable(),
      createdAt: z.string(),
      lastUsedAt: z.string().nullable(),
    })
    .meta({ id: "Identity" }),
);

export const exchangedShape = shape(() =>
  signedInShape()
    .partial()
    .extend({ identity: identityShape().optional() })
    .meta({ id: "Exchanged", description: "A session with its user; or the identity that was linked." }),
);

export const identitiesShape = shape(() => z.object({ items: z.array(identityShape()) }).meta({ id: "Identities" }));
export const identityParams = shape(() => z.object({ id: z.string().max(60) }));
