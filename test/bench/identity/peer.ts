/** The peer: better-auth with its API-key plugin on D1, called as its documentation shows. Its limit of keys is off: it would end the bench. */
import { apiKey } from "@better-auth/api-key";
import { type BetterAuthOptions, betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { bearer } from "better-auth/plugins";

const person = { email: "bench@example.com", password: "a long enough bench secret", name: "Bench" };

const optionsFor = (database: D1Database) =>
  ({
    baseURL: "http://127.0.0.1",
    secret: "only for a benchmark, thirty-two bytes at least",
    database,
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    plugins: [bearer(), apiKey({ rateLimit: { enabled: false } })],
  }) satisfies BetterAuthOptions;

type Auth = ReturnType<typeof betterAuth<ReturnType<typeof optionsFor>>>;
// oxlint-disable-next-line typescript/no-redundant-type-constituents -- the peer is installed for the bench alone, and an "any" without it
let auth: Auth | undefined;

async function setUp(env: { DB: D1Database }): Promise<Response> {
  const options = optionsFor(env.DB);
  await (await getMigrations(options)).runMigrations();
  auth = betterAuth(options);
  const { token, user } = await auth.api.signUpEmail({ body: person });
  const { key } = await auth.api.createApiKey({ body: { userId: user.id, name: "bench" } });
  return Response.json({ token, key });
}

export default {
  async fetch(request: Request, env: { DB: D1Database }): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/setup") return setUp(env);
    if (!auth) return new Response("set up first", { status: 409 });
    const times = Number(searchParams.get("times"));
    const key = request.headers.get("x-api-key") ?? "";
    for (let count = 0; count < times; count += 1) {
      const holds =
        pathname === "/session"
          ? await auth.api.getSession({ headers: request.headers })
          : (await auth.api.verifyApiKey({ body: { key } })).valid;
      if (!holds) return new Response("not valid", { status: 500 });
    }
    return new Response(String(times));
  },
};
