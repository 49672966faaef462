/** OpenID Connect by discovery, with PKCE, nonce and checked issuer (RFC 7636, RFC 9207, OpenID Connect Core). Takes any certified issuer. */
import type * as Library from "../oauth.ts";
import { type Provider, type ProviderCall, type ProviderIdentity, throughOutbound } from "../provider.ts";

const rememberMs = 3_600_000;

interface Known {
  server: Library.AuthorizationServer;
  keys: Library.JWKSCacheInput;
  readAt: number;
}

/** Values by issuer; there are as many as the deployer configured. */
const remembered = new Map<string, Known>();

function options(library: typeof Library, call: ProviderCall) {
  return {
    [library.customFetch]: throughOutbound(call.outbound),
    [library.allowInsecureRequests]: call.allowsHttp,
  };
}

async function discover(call: ProviderCall, issuer: string): Promise<Known> {
  const known = remembered.get(issuer);
  if (known && call.nowMs - known.readAt < rememberMs) return known;
  const library = await import("../oauth.ts");
  const url = new URL(issuer);
  const answer = await library.discoveryRequest(url, { ...options(library, call), algorithm: "oidc" });
  const server = await library.processDiscoveryResponse(url, answer);
  const found = { server, keys: {}, readAt: call.nowMs };
  remembered.set(issuer, found);
  return found;
}

async function clientAuth(server: Library.AuthorizationServer, secret: string): Promise<Library.ClientAuth> {
  const library = await import("../oauth.ts");
  const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  return methods.includes("client_secret_basic") ? library.ClientSecretBasic(secret) : library.ClientSecretPost(secret);
}

export function openIdConnect(defaultIssuer?: string): Provider {
  const issuerOf = (call: ProviderCall) => call.config.issuer ?? defaultIssuer ?? "";
  return {
    async authorizationUrl(call, trip) {
      const library = await import("../oauth.ts");
      const { server } = await discover(call, issuerOf(call));
      const url = new URL(server.authorization_endpoint ?? "");
      const parameters = {
        client_id: call.config.clientId,
        redirect_uri: trip.redirectUri,
        response_type: "code",
        scope: "openid email profile",
        state: trip.state,
        nonce: trip.nonce,
        code_challenge: await library.calculatePKCECodeChallenge(trip.codeVerifier),
        code_challenge_method: "S256",
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return url;
    },

    async identify(call, trip, callback) {
      const library = await import("../oauth.ts");
      const { server, keys } = await discover(call, issuerOf(call));
      const client = { client_id: call.config.clientId };
      const answer = library.validateAuthResponse(server, client, callback, trip.state);
      const response = await library.authorizationCodeGrantRequest(
        server,
        client,
        await clientAuth(server, call.config.clientSecret),
        answer,
        trip.redirectUri,
        trip.codeVerifier,
        options(library, call),
      );
      const tokens = await library.processAuthorizationCodeResponse(server, client, response, {
        expectedNonce: trip.nonce,
        requireIdToken: true,
      });
      await library.validateApplicationLevelSignature(server, response, {
        ...options(library, call),
        [library.jwksCache]: keys,
      });
      const claims = library.getValidatedIdTokenClaims(tokens);
      if (!claims) throw new Error("no ID token");
      if (typeof claims["email"] === "string" || !server.userinfo_endpoint) return toIdentity(server, claims);
      const info = await library.processUserInfoResponse(
        server,
        client,
        claims.sub,
        await library.userInfoRequest(server, client, tokens.access_token, options(library, call)),
      );
      return toIdentity(server, { ...claims, ...info });
    },
  };
}

function toIdentity(
  server: Library.AuthorizationServer,
  claims: { sub: string } & Record<string, unknown>,
): ProviderIdentity {
  const { sub, email, name, preferred_username: username } = claims;
  const shown = [name, username].find((value) => typeof value === "string" && value !== "");
  return {
    issuer: server.issuer,
    subject: sub,
    email: typeof email === "string" ? email.trim().toLowerCase() : null,
    // The word itself: a text "true" or a missing claim is no proof.
    emailVerified: claims["email_verified"] === true,
    displayName: typeof shown === "string" ? shown.slice(0, 100) : null,
  };
}
