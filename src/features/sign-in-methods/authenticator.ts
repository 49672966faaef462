/** What we use of the libraries for authenticator apps, in one place: a bundler leaves the rest of them out. Loaded with the first use. */
export { Secret, TOTP } from "otpauth/dist/otpauth.node.mjs";
export { renderSVG } from "uqr";
