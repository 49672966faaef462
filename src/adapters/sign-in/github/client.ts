/** GitHub: OAuth 2.0 without OpenID Connect, so the person and the addresses are asked of its API. With an `issuer`: an Enterprise Server. */
import { type Provider, type ProviderCall, throughOutbound } from "../provider.ts";

const publicSite = "https://github.com";

function siteOf(call: ProviderCall): { site: string; api: string } {
  const site = (call.config.issuer ?? publicSite).replace(/\/$/, "");
  return { site, api: site === publicSite ? "https://api.github.com" : `${site}/api/v3` };
}

function serverOf(call: ProviderCall) {
  const base = `${siteOf(call).site}/login/oauth`;
  return { issuer: base, authorization_endpoint: `${base}/authorize`, token_endpoint: `${base}/access_token` };
}

async function ask(call: ProviderCall, path: string, token: string): Promise<unknown> {
  const answer = await throughOutbound(call.outbound)(`${siteOf(call).api}${path}`, {
    headers: { authorization: `Bearer ${token}`, accept: "application/vnd.github+json", "user-agent": "overtone" },
  });
  if (!answer.ok) throw new Error(`the API answered ${answer.status}`);
  return answer.json();
}

interface Address {
  email: string;
  primary: boolean;
  verified: boolean;
}

export const github: Provider = {
  async authorizationUrl(call, trip) {
    const library = await import("../oauth.ts");
    const url = new URL(serverOf(call).authorization_endpoint);
    const parameters = {
      client_id: call.config.clientId,
      redirect_uri: trip.redirectUri,
      response_type: "code",
      scope: "read:user user:email",
      state: trip.state,
      code_challenge: await library.calculatePKCECodeChallenge(trip.codeVerifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url;
  },

  async identify(call, trip, callback) {
    const library = await import("../oauth.ts");
    const server = serverOf(call);
    const client = { client_id: call.config.clientId };
    const answer = library.validateAuthResponse(server, client, callback, trip.state);
    const response = await library.authorizationCodeGrantRequest(
      server,
      client,
      library.ClientSecretPost(call.config.clientSecret),
      answer,
      trip.redirectUri,
      trip.codeVerifier,
      { [library.customFetch]: throughOutbound(call.outbound), [library.allowInsecureRequests]: call.allowsHttp },
    );
    const { access_token: token } = await library.processAuthorizationCodeResponse(server, client, response);
    const person = (await ask(call, "/user", token)) as { id: number; login: string; name: string | null };
    const addresses = (await ask(call, "/user/emails", token)) as Address[];
    if (!Number.isSafeInteger(person.id) || !Array.isArray(addresses)) throw new Error("not a person");
    const primary = addresses.find((address) => address.primary);
    return {
      issuer: siteOf(call).site,
      subject: String(person.id),
      email: primary?.email.trim().toLowerCase() ?? null,
      emailVerified: primary?.verified === true,
      displayName: (person.name ?? person.login).slice(0, 100),
    };
  },
};
