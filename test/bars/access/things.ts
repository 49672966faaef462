/** Things of a workspace or of a person, made to be asked for by their ids; one for each operation, because some operations end them. */
import { setTimeout as pause } from "node:timers/promises";
import type { Person } from "../people.ts";
import { soundOf } from "../random.ts";
import type { Change } from "../state.ts";
import { call, type CallOptions, signIn } from "./calls.ts";
import type { Json, Operation } from "./policy.ts";

export interface Home {
  url: string;
  owner: Person;
  workspaceId: string;
  /** A member whom the others ask about. */
  extra: Person;
  /** Of a provider of models that takes any key. */
  providerUrl: string;
}

type Ids = Record<string, string>;

interface Kind {
  /** How the paths of its operations begin. */
  path: string;
  /** Values of the path's parameters, the workspace's apart. */
  make(home: Home, mark: string): Promise<Ids>;
}

const ask = ({ url, owner, workspaceId }: Home, path: string, options: Partial<CallOptions> = {}) =>
  call(url, path, { token: owner.token, workspaceId, ...options });

const made =
  (path: string, body: (mark: string) => object) =>
  async (home: Home, mark: string): Promise<Ids> => ({
    id: String((await ask(home, path, { body: body(mark) })).id),
  });

const sizeBytes = 2_000;

async function makeUpload(home: Home, mark: string): Promise<Ids> {
  const body = { fileName: `${mark}.wav`, contentType: "audio/wav", sizeBytes };
  return { id: String((await ask(home, "/v1/uploads", { body })).id) };
}

async function makeFile(home: Home, mark: string): Promise<Ids> {
  const { id } = await makeUpload(home, mark);
  const { urls } = await ask(home, `/v1/uploads/${id}/parts`, { body: { partNumbers: [1] } });
  const [{ url, headers }] = urls;
  const content = soundOf({ seed: 1, sizeBytes, compressible: true });
  const sent = await fetch(url, { method: "PUT", headers, body: content });
  if (!sent.ok) throw new Error(`storage answered ${sent.status} ${await sent.text()}`);
  const uploaded = [{ partNumber: 1, etag: sent.headers.get("etag"), sizeBytes }];
  await ask(home, `/v1/uploads/${id}/parts`, { body: { uploaded } });
  const { file } = await ask(home, `/v1/uploads/${id}/complete`, { body: {} });
  return { id: String(file.id) };
}

const conversionMs = 90_000;

/** Once it is done: before, its images are not there for anybody. */
async function makeConversion(home: Home, mark: string): Promise<{ conversionId: string; jobId: string }> {
  const { id: fileId } = await makeFile(home, mark);
  const { conversionId, jobId } = await ask(home, "/v1/convert/audio-to-image", { body: { fileId } });
  for (const until = Date.now() + conversionMs; Date.now() < until; await pause(300)) {
    const { status } = await ask(home, `/v1/conversions/${conversionId}`, { method: "GET" });
    if (status === "completed") return { conversionId: String(conversionId), jobId: String(jobId) };
    if (status === "failed") break;
  }
  throw new Error(`conversion ${conversionId} was not done`);
}

async function makeDelivery(home: Home): Promise<Ids> {
  const { id } = await makeWebhook(home, "");
  const delivery = await ask(home, `/v1/webhooks/${id}/test`);
  return { id: String(id), deliveryId: String(delivery.id) };
}

const makeWebhook = made("/v1/webhooks", () => ({ url: "https://example.com/hook", events: ["job.failed"] }));

/** The newest one, which is not the one that asks. */
async function makeSession(home: Home): Promise<Ids> {
  const { email, password } = home.owner;
  const list = async () =>
    ((await ask(home, "/v1/auth/sessions", { method: "GET" })).items as Json[]).map(({ id }) => String(id));
  const before = await list();
  await signIn(home.url, { email, password });
  const id = (await list()).find((each) => !before.includes(each));
  if (id === undefined) throw new Error("the new session is not listed");
  return { id };
}

const model = "gpt-4o-mini";
const messages = [{ role: "user", content: "Hello" }];

/** Its id is in a header. */
async function makeStream({ url, owner, workspaceId }: Home): Promise<Ids> {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${owner.token}`,
      "content-type": "application/json",
      "x-workspace-id": workspaceId,
      "x-overtone-resumable": "true",
    },
    body: JSON.stringify({ model, messages, stream: true }),
  });
  const text = await answer.text();
  const id = answer.headers.get("x-overtone-stream-id");
  if (id === null) throw new Error(`a stream answered ${answer.status} ${text}`);
  return { id };
}

async function makeBatch(home: Home, mark: string): Promise<Ids> {
  const body = { level: "low", batch: [{ r_type: "bpe", prompt: mark }] };
  return { id: String((await ask(home, "/v1/batch/process", { body })).batch_id) };
}

/** What takes a provider, a device or an event to come about is put into the state. */
const rows = {
  identity: "idn_00000000000000000000000001",
  passkey: "psk_00000000000000000000000001",
  notification: "ntf_00000000000000000000000001",
};

export function rowsOf(userId: string): Change[] {
  return [
    {
      sql: `INSERT INTO sign_in_identities (id, user_id, provider, issuer, subject, created_at)
        VALUES (?, ?, 'google', 'https://issuer.example.com', 'subject', 0)`,
      values: [rows.identity, userId],
    },
    {
      sql: `INSERT INTO passkeys (id, user_id, credential_id, public_key, counter, transports, name, is_backed_up, created_at)
        VALUES (?, ?, 'credential', 'key', 0, '[]', 'passkey', 0, 0)`,
      values: [rows.passkey, userId],
    },
    {
      sql: `INSERT INTO notifications (id, user_id, kind, title, body, data, created_at)
        VALUES (?, ?, 'security', 'title', 'body', '{}', ?)`,
      values: [rows.notification, userId, Date.now()],
    },
  ];
}

const there = (ids: Ids) => async (): Promise<Ids> => ids;

/** The first one whose path an operation's begins with is the operation's. */
export const kinds: readonly Kind[] = [
  { path: "/v1/api-keys/{id}", make: made("/v1/api-keys", (mark) => ({ name: mark })) },
  { path: "/v1/encryption-keys/{id}", make: made("/v1/encryption-keys", () => ({ keyType: "user" })) },
  { path: "/v1/uploads/{id}", make: makeUpload },
  { path: "/v1/files/{id}", make: makeFile },
  {
    path: "/v1/conversions/{id}",
    make: async (home, mark) => ({ id: (await makeConversion(home, mark)).conversionId, index: "0" }),
  },
  { path: "/v1/jobs/{id}", make: async (home, mark) => ({ id: (await makeConversion(home, mark)).jobId }) },
  { path: "/v1/responses/{id}", make: made("/v1/responses", (mark) => ({ model, input: mark })) },
  { path: "/v1/streams/{id}", make: makeStream },
  { path: "/v1/batch/{id}", make: makeBatch },
  {
    path: "/v1/provider-keys/{id}",
    make: async (home, mark) => {
      const body = { provider: "custom", name: mark, key: `bar-${mark}`, baseUrl: home.providerUrl };
      return { id: String((await ask(home, "/v1/provider-keys", { body })).id) };
    },
  },
  { path: "/v1/webhooks/{id}/deliveries/{deliveryId}", make: makeDelivery },
  { path: "/v1/webhooks/{id}", make: makeWebhook },
  {
    path: "/v1/sub-users/{id}",
    make: made("/v1/sub-users", (mark) => ({ email: `${mark}@example.com`, password: `${mark} ${mark}` })),
  },
  {
    path: "/v1/workspaces/{id}/invitations/{invitationId}",
    make: async (home, mark) => {
      const body = { email: `${mark}@example.com` };
      const { id } = await ask(home, `/v1/workspaces/${home.workspaceId}/invitations`, { body });
      return { invitationId: String(id) };
    },
  },
  { path: "/v1/workspaces/{id}/members/{userId}", make: async ({ extra }) => ({ userId: extra.userId }) },
  { path: "/v1/stats/user/{userId}", make: async ({ owner }) => ({ userId: owner.userId }) },
  { path: "/v1/auth/sessions/{id}", make: makeSession },
  { path: "/v1/auth/identities/{id}", make: there({ id: rows.identity }) },
  { path: "/v1/auth/passkeys/{id}", make: there({ id: rows.passkey }) },
  { path: "/v1/notifications/{id}", make: there({ id: rows.notification }) },
];

/** What is no thing of a tenant: a secret that is its own proof, a word of the product. */
const notThings = new Set(["token", "resource", "provider", "model"]);

/** Does it name something that belongs to a workspace or a person? Staff reach over all of them, as their permission says. */
export function namesThing(operation: Operation): boolean {
  const { access, path, workspaceParam } = operation;
  if (access === "public" || access.startsWith("staff:")) return false;
  const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = ""]) => name);
  return names.some((name) => name !== workspaceParam && !notThings.has(name));
}

export function kindOf({ path }: Operation): Kind | undefined {
  return kinds.find((kind) => path.startsWith(kind.path));
}
