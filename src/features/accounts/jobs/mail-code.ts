/**
 * Mails a code that was asked for by address, if anybody has it. The look-up is here and not in the request, so that known and unknown
 * addresses cost the same there.
 */
import * as z from "zod";
import { defineJob, done } from "#core/job";
import { shape } from "#core/shape";
import { resetMail, signInCodeMail } from "../mails.ts";
import { openText } from "../sealing.ts";
import { findByEmail } from "../store.ts";

const payload = shape(() =>
  z.object({
    purpose: z.enum(["sign-in", "reset-password"]),
    address: z.string(),
    sealed: z.string(),
  }),
);

const mails = { "sign-in": signInCodeMail, "reset-password": resetMail };

export const codeText = (purpose: string, address: string) => `mailed code ${purpose} ${address}`;

export const mailCodeJob = defineJob({
  name: "accounts.mail-code",
  lane: "delivery",
  payload,
  attempts: 8,
  async run(ctx, { purpose, address, sealed }) {
    const user = await findByEmail(ctx.db, address);
    const code = await openText(ctx.settings, codeText(purpose, address), sealed);
    if (user?.status !== "active" || code === null) return done();
    const mail = mails[purpose](ctx, user, code);
    await ctx.commit([mail.statement]);
    await ctx.offer(mail);
    return done();
  },
});
