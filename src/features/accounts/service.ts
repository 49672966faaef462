/** What other features ask of accounts. */
export { askResetCode } from "./asked-codes.ts";
export { checkCode, issueCode } from "./codes.ts";
export { deleteAccount, endPeopleOf, whileOvertaken } from "./deletion.ts";
export { emailChangedMail } from "./mails.ts";
export { newPerson, takenProblem } from "./new-person.ts";
export { proverOf, requireOwnSignIn, requireRecentProof } from "./recent-proof.ts";
export { registrationFailed } from "./registration.ts";
export { requireRecentPassword, toUser } from "./people.ts";
export { displayName, isCommonPassword, newUserRow } from "./rules.ts";
export { endAllSessions, type SessionChoice } from "./sessions.ts";
export { enter, homeWorkspaceId, signIn, type SignedInUser } from "./sign-in.ts";
export { readStaff } from "./store.ts";
