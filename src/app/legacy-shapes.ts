/** How older clients name things: pure renamings of a body before, and of an answer after, the published operation. */
import { moneyAnswers } from "./legacy/shapes-money.ts";

import { modelAnswers, modelBodies } from "./legacy/shapes-models.ts";

import { keyAnswers, keyBodies } from "./legacy/shapes-keys.ts";

import { workspaceAnswers, workspaceBodies } from "./legacy/shapes-workspaces.ts";

import { staffAnswers, staffBodies } from "./legacy/shapes-staff.ts";

import { tokenAnswers, tokenBodies } from "./legacy/shapes-tokens.ts";

type Json = Record<string, unknown>;
type Mapper = (value: Json, at: { status: number; nowMs: number }) => unknown;

const iso = (nowMs: number) => new Date(nowMs).toISOString();
const object = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.map(object) : []);

export const bodyShapes = {
  ...staffBodies,
  opaqueRegister: (body: Json): Json => ({ ...body, signIn: true, sessionKind: "opaque" }),
  opaqueLogin: (body: Json): Json => ({ ...body, sessionKind: "opaque" }),
  /** There a new password ended the session that asked, too. */
  passwordChange: (body: Json): Json => ({ ...body, endAllSessions: true }),
  /** The older system knew one format only, so its imports do not name it. */
  importedKey: (body: Json): Json => (body["keyType"] === "master" ? { format: 1, ...body } : body),
  ...workspaceBodies,
  ...keyBodies,
  ...modelBodies,
  ...tokenBodies,
} as const;

export type BodyShape = keyof typeof bodyShapes;

function converted(value: Json, { nowMs }: { nowMs: number }): Json {
  const conversion = object(value["conversion"]);
  return {
    success: true,
    message: value["message"],
    conversionId: value["conversionId"],
    jobId: value["jobId"],
    status: value["status"],
    inputFile: conversion["inputFileName"],
    outputPath: `/api/conversions/${String(value["conversionId"])}`,
    imageCount: conversion["imageCount"],
    images: list(conversion["images"]).map((image) => image["fileName"]),
    outputFile: conversion["outputFileName"],
    outputFileId: conversion["outputFileId"],
    duration: conversion["durationMs"],
    timestamp: iso(nowMs),
  };
}

function task(conversion: Json): Json {
  return {
    ...conversion,
    outputFiles: list(conversion["images"]).map((image) => image["fileName"]),
    startTime: conversion["startedAt"],
    endTime: conversion["endedAt"],
    duration: conversion["durationMs"],
    error: object(conversion["problem"])["detail"] ?? null,
  };
}

function readableSize(bytes: unknown): string {
  const size = Number(bytes);
  return size < 1024 * 1024 ? `${(size / 1024).toFixed(2)} KB` : `${(size / 1024 / 1024).toFixed(2)} MB`;
}

function readableAge(from: unknown, nowMs: number): string {
  const minutes = Math.max(0, Math.floor((nowMs - Date.parse(String(from))) / 60_000));
  if (minutes < 60) return `${minutes} minutes ago`;
  return minutes < 1_440 ? `${Math.floor(minutes / 60)} hours ago` : `${Math.floor(minutes / 1_440)} days ago`;
}

function historyItemV2(conversion: Json, nowMs: number): Json {
  const given = conversion["inputFileName"];
  const name = typeof given === "string" ? given : "";
  return {
    conversionId: conversion["conversionId"],
    originalFileName: name,
    fileSize: conversion["inputFileSize"],
    fileSizeReadable: readableSize(conversion["inputFileSize"]),
    audioFormat: name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : "",
    numImages: conversion["imageCount"],
    totalImageSize: conversion["totalImageBytes"],
    compressed: conversion["compress"],
    createdAt: conversion["createdAt"],
    createdAgo: readableAge(conversion["createdAt"], nowMs),
  };
}

export const answerShapes = {
  ...moneyAnswers,
  ...workspaceAnswers,
  ...staffAnswers,
  converted,
  convertedV2: (value, at) => {
    const conversion = object(value["conversion"]);
    return {
      success: true,
      conversionId: value["conversionId"],
      userId: conversion["userId"],
      originalFileName: conversion["inputFileName"],
      numImages: conversion["imageCount"],
      totalSize: conversion["totalImageBytes"],
      message: value["message"],
      status: value["status"],
      timestamp: iso(at.nowMs),
    };
  },
  history: (value, { nowMs }) => ({
    success: true,
    conversions: list(value["items"]).map(task),
    total: value["total"],
    nextCursor: value["nextCursor"],
    timestamp: iso(nowMs),
  }),
  historyV2: (value, { nowMs }) => ({
    success: true,
    conversions: list(value["items"]).map((item) => historyItemV2(item, nowMs)),
    total: value["total"],
  }),
  task: (value, { nowMs }) => ({ success: true, conversion: task(value), ...task(value), timestamp: iso(nowMs) }),
  data: (value, { nowMs }) => ({ success: true, data: value, ...value, timestamp: iso(nowMs) }),
  items: (value) => value["items"],
  keys: (value) => ({ success: true, keys: value["items"], data: value["items"] }),
  renewed: (value) => ({ success: true, message: "Renewed.", session: value }),
  success: (value, { nowMs }) => ({ success: true, message: value["message"] ?? "Done.", timestamp: iso(nowMs) }),
  session: (value) => {
    const session = { ...object(value["session"]), ...value };
    const user = value["user"];
    const token = session["token"];
    return {
      success: true,
      message: value["message"] ?? "Signed in.",
      token,
      user,
      expires_at: session["expires_at"],
      data: { token, user },
    };
  },
  ...keyAnswers,
  ...modelAnswers,
  ...tokenAnswers,
} as const satisfies Record<string, Mapper>;

export type AnswerShape = keyof typeof answerShapes;
