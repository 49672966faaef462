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

/** Made by scryptSync of Node 24's crypto (OpenSSL), with the salt "a salt of sixtee". */
const scryptVectors = [
  {
    name: "16 MiB, one lane",
    password: "imported from another place",
    phc: "$scrypt$ln=14,r=8,p=1$YSBzYWx0IG9mIHNpeHRlZQ$ZBtCFRfqrRFHZGK0GhYErO1puIYZDEQ6pAcuNLR8Yrg",
  },
  {
    name: "five lanes, 64 bytes, outside ASCII",
    password: "пароль-密码-🔑",
    phc: "$scrypt$ln=14,r=8,p=5$YSBzYWx0IG9mIHNpeHRlZQ$uZ7t/4B7ESqA/SbEeekcqMyTjrBctDJkB33Hrpf5/FrtwIp1gie9nVZEfBdDnpXUbbgpUpSIhFfFLA2W/vFjMQ",
  },
];

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

  it.each(scryptVectors)("of scrypt ($name) is checked and becomes one of today's", async ({ password, phc }) => {
    const person = await signUp();
    await imported(person, phc);
    expect((await login(person, `${password}!`)).status).toBe(401);
    expect(await phcOf(person)).toBe(phc);
    expect((await login(person, password)).status).toBe(200);
    expect(await phcOf(person)).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await login(person, password)).status).toBe(200);
    expect((await login(person, `${password}!`)).status).toBe(401);
    expect(await mailsTo(person.email)).toEqual([]);
  });

  it.each([
    ["of 32 MiB", "$scrypt$ln=15,r=8,p=1$YSBzYWx0IG9mIHNpeHRlZQ$VFMRq4ncA5nZuLLJuyzxuzPqHsZyVJVzjTjlwo9TuYA"],
    ["of six lanes", "$scrypt$ln=14,r=8,p=6$YSBzYWx0IG9mIHNpeHRlZQ$VFMRq4ncA5nZuLLJuyzxuzPqHsZyVJVzjTjlwo9TuYA"],
    ["with a short salt", "$scrypt$ln=14,r=8,p=1$c2FsdA$VFMRq4ncA5nZuLLJuyzxuzPqHsZyVJVzjTjlwo9TuYA"],
    ["in another notation", "$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D"],
  ])("of scrypt %s is refused like a wrong one, stays as it is, and its owner gets one mail", async (_, phc) => {
    const person = await signUp();
    await imported(person, phc);
    for (let tries = 0; tries < 2; tries += 1)
      expect(await login(person, "imported from another place")).toMatchObject({
        status: 401,
        body: { code: "sign-in-failed" },
      });
    expect(await phcOf(person)).toBe(phc);
    expect((await mailsTo(person.email)).map(({ template }) => template)).toEqual(["password-reset-required"]);
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
