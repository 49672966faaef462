/** Mails, and what people are told inside the product. */
import { defineFeature } from "#core/feature";
import { sendMailJob } from "./jobs/send-mail.ts";

export default defineFeature({
  name: "notifications",
  summary: "Notices inside the product and by mail, and what a person wants of them.",
  endpoints: [],
  jobs: [sendMailJob],
});
