/** The product's table of contents. */
import type { Feature } from "#core/feature";
import accounts from "#features/accounts/index";
import apiKeys from "#features/api-keys/index";
import auditLog from "#features/audit-log/index";
import billing from "#features/billing/index";
import chat from "#features/chat/index";
import conversions from "#features/conversions/index";
import guardrails from "#features/guardrails/index";
import jobs from "#features/jobs/index";
import media from "#features/media/index";
import messageLogs from "#features/message-logs/index";
import models from "#features/models/index";
import monitoring from "#features/monitoring/index";
import notifications from "#features/notifications/index";
import prompts from "#features/prompts/index";
import providerKeys from "#features/provider-keys/index";
import secrets from "#features/secrets/index";
import signInMethods from "#features/sign-in-methods/index";
import staff from "#features/staff/index";
import subUsers from "#features/sub-users/index";
import tokens from "#features/tokens/index";
import uppy from "#features/uppy/index";
import usage from "#features/usage/index";
import webhooks from "#features/webhooks/index";
import workspaces from "#features/workspaces/index";

export const features: readonly Feature[] = [
  accounts,
  signInMethods,
  workspaces,
  subUsers,
  apiKeys,
  media,
  uppy,
  usage,
  billing,
  conversions,
  secrets,
  jobs,
  monitoring,
  auditLog,
  staff,
  notifications,
  webhooks,
  models,
  guardrails,
  chat,
  tokens,
  prompts,
  messageLogs,
  providerKeys,
];
