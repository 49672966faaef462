/** What we use of the bcrypt library: a bundler leaves the rest of it out. It is loaded with the first imported account, not at start. */
export { compare } from "bcryptjs";
