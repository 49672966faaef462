/** Passwords that came from an older system: bcrypt and others are checked once and kept as today's hashes; what cannot be checked gets a mail. */
import { hash } from "bcryptjs";
import { describe, expect, it } from "vitest";
import { bindings, call, type Person, signUp } from "#test/support/harness";
import { mailsTo } from "#test/support/mails";

async function imported(person: Person, phc: string): Promise<void> {
  await bindings.DB.prepare("update users set password_phc = ? where id = ?").bind(phc, person.userId).run();
}

const phcOf = async (person: Person) =>
  (await bindings.DB.prepare("select password_phc as phc from users where id = ?").bind(person.userId).first())?.[
    "phc"
  ];

const login = (person: Person, password: string) =>
  call("POST", "/v1/auth/login", { body: { email: person.email, password } });

describe("an imported password", () => {
  it.each(["2a", "2b", "2y"])("of bcrypt (%s) is checked and becomes one of today's", async (letters) => {
    const person = await signUp();
    const password = `imported ${crypto.randomUUID()}`;
    await imported(person, (await hash(password, 5)).replace(/^\$2[aby]/, `$${letters}`));
    expect((await login(person, "another one")).status).toBe(401);
    expect(await phcOf(person)).toMatch(/^\$2/);
    expect((await login(person, password)).status).toBe(200);
    expect(await phcOf(person)).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await login(person, password)).status).toBe(200);
  });

  it("of bcrypt above cost 12 is refused like a wrong one, and its owner gets one mail", async () => {
    const person = await signUp();
    const password = `imported ${crypto.randomUUID()}`;
    await imported(person, (await hash(password, 4)).replace("$04$", "$13$"));
    const [refused, again] = [await login(person, password), await login(person, password)];
    expect(refused).toMatchObject({ status: 401, body: { code: "sign-in-failed" } });
    expect(again.status).toBe(401);
    expect((await mailsTo(person.email)).map(({ template }) => template)).toEqual(["password-reset-required"]);
  });

  it("that nobody can have is refused, and nobody is mailed who never had one", async () => {
    const person = await signUp();
    await imported(person, "");
    expect((await login(person, "")).status).toBe(401);
    expect((await login(person, "anything long")).status).toBe(401);
    expect(await mailsTo(person.email)).toEqual([]);
  });
});
