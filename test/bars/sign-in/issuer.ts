/** A real OpenID Connect issuer (`oidc-provider`, certified) on loopback, whose people sign in by typing their name. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";

export interface Account {
  email: string;
  email_verified: boolean;
  name: string;
}

export interface Issuer {
  url: string;
  clientId: string;
  clientSecret: string;
  /** By subject; a test adds its people. */
  accounts: Map<string, Account>;
  /** Has to be called before the first sign-in: the address is only known once the product has its port. */
  allow(redirectUri: string): void;
  close(): Promise<void>;
}

export async function startIssuer(clientId: string): Promise<Issuer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clientSecret = crypto.randomUUID();
  const accounts = new Map<string, Account>();
  return {
    url,
    clientId,
    clientSecret,
    accounts,
    allow(redirectUri) {
      const answer = makeProvider({ url, clientId, clientSecret, redirectUri, accounts });
      server.on("request", (request, response) => void answer(request, response));
    },
    close: () => close(server),
  };
}

interface Setting {
  url: string;
  clientId: string;
  clientSecret: string;
  redirectUri: string;
  accounts: Map<string, Account>;
}

function makeProvider({ url, clientId, clientSecret, redirectUri, accounts }: Setting) {
  const provider = new Provider(url, {
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    cookies: { keys: [crypto.randomUUID()] },
    pkce: { required: () => true },
    findAccount: (_, subject) => {
      const account = accounts.get(subject);
      return account && { accountId: subject, claims: () => ({ sub: subject, ...account }) };
    },
  });
  return provider.callback();
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
