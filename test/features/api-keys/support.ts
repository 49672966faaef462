/** Keys as people and other keys make them. */
import { type Called, call, type CallOptions, type Person } from "#test/support/harness";

export interface MadeKey {
  id: string;
  key: string;
  /** Calls with the key, from an address. */
  use(method: string, path: string, options?: CallOptions & { from?: string }): Promise<Called>;
  /** What validating it says, asked by its owner. */
  validate(body?: Record<string, unknown>): Promise<Called["body"]>;
}

export async function makeKey(person: Person, body: Record<string, unknown> = {}): Promise<MadeKey> {
  const made = await person.call("POST", "/v1/api-keys", { body: { name: "a key", ...body } });
  if (made.status !== 201) throw new Error(`${made.status} ${JSON.stringify(made.body)}`);
  return handle(person, made.body.id, made.body.key ?? body["importedKey"]);
}

export function handle(person: Person, id: string, key: string): MadeKey {
  return {
    id,
    key,
    use: (method, path, { from, ...options } = {}) =>
      call(method, path, {
        as: key,
        ...options,
        headers: { ...(from ? { "cf-connecting-ip": from } : {}), ...options.headers },
      }),
    async validate(body = {}) {
      const answer = await person.call("POST", "/v1/api-keys/validate", { body: { key, ...body } });
      if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body;
    },
  };
}
