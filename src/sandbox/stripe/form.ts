/** Stripe's way to send nested values in a form: `items[0][price]=p&expand[]=a`. */

export type Form = { [name: string]: string | Form };

const maxFields = 500;
const maxDepth = 6;

/** Lists become objects with numbers as names; `values` turns them back. Fields beyond the bounds are ignored. */
export function parseForm(text: string): Form {
  const form: Form = emptyForm();
  let fields = 0;
  for (const [name, value] of new URLSearchParams(text)) {
    fields += 1;
    if (fields > maxFields) break;
    const path = name.split(/\[|\]\[|\]$/).slice(0, name.includes("[") ? -1 : undefined);
    if (path.length <= maxDepth) put(form, path, value);
  }
  return form;
}

function emptyForm(): Form {
  return Object.create(null) as Form;
}

function put(form: Form, [first = "", ...rest]: string[], value: string): void {
  const name = first === "" ? String(Object.keys(form).length) : first;
  if (rest.length === 0) {
    form[name] = value;
    return;
  }
  const inner = form[name];
  const next = typeof inner === "object" ? inner : emptyForm();
  form[name] = next;
  put(next, rest, value);
}

export function text(form: Form | undefined, name: string): string | undefined {
  const value = form?.[name];
  return typeof value === "string" ? value : undefined;
}

export function inner(form: Form | undefined, name: string): Form | undefined {
  const value = form?.[name];
  return typeof value === "object" ? value : undefined;
}

/** The entries of a list. */
export function values(form: Form | undefined, name: string): (string | Form)[] {
  return Object.values(inner(form, name) ?? {});
}

export function forms(form: Form | undefined, name: string): Form[] {
  return values(form, name).filter((value) => typeof value === "object");
}

export function texts(form: Form | undefined, name: string): string[] {
  return values(form, name).filter((value) => typeof value === "string");
}

export function whole(form: Form | undefined, name: string): number | undefined {
  const value = text(form, name);
  return value !== undefined && /^-?\d{1,15}$/.test(value) ? Number(value) : undefined;
}

export function flag(form: Form | undefined, name: string): boolean | undefined {
  const value = text(form, name);
  return value === undefined ? undefined : value === "true";
}

/** Flat words, as metadata has them. */
export function record(form: Form | undefined, name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inner(form, name) ?? {}).flatMap(([key, value]) =>
      typeof value === "string" ? [[key, value]] : [],
    ),
  );
}

/** A form is not `text/*`, and the runtime warns of its `text()`. */
export async function bodyOf(request: Request): Promise<string> {
  return new TextDecoder().decode(await request.arrayBuffer());
}
