/** Which provider a name stands for: two companies, and every other name an OpenID Connect issuer that the deployer configured. */
import { github } from "./github/client.ts";
import { openIdConnect } from "./oidc/client.ts";
import type { Provider } from "./provider.ts";

const companies: Record<string, { provider: Provider; displayName: string }> = {
  github: { provider: github, displayName: "GitHub" },
  google: { provider: openIdConnect("https://accounts.google.com"), displayName: "Google" },
};
const anyIssuer = openIdConnect();

export function providerNamed(name: string): Provider {
  return companies[name]?.provider ?? anyIssuer;
}

export function providerLabel(name: string, configured: string | undefined): string {
  return configured ?? companies[name]?.displayName ?? name;
}
