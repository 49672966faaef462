/** The forms that strangers fill in: where Turnstile is configured, each asks for its token. Other open operations need a secret anyway. */

const openForms: ReadonlySet<string> = new Set([
  "register",
  "registerUser",
  "login",
  "loginUser",
  "loginExtension",
  "askSignInCode",
  "forgotPassword",
]);

/** By the operation's name. */
export function isOpenForm(operation: string): boolean {
  return openForms.has(operation);
}

export const openFormNames: readonly string[] = [...openForms];
