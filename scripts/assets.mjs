// Copies the one static file that the API reference needs out of its package, so that /reference makes no outside request.
import { cpSync, mkdirSync } from "node:fs";

mkdirSync("dist/assets/reference", { recursive: true });
cpSync("node_modules/@scalar/api-reference/dist/browser/standalone.js", "dist/assets/reference/scalar.js");
