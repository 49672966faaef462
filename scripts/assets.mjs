/** Puts the files that the Worker serves as they are into dist/assets: the OpenAPI document, and the API reference out of its package. */
import { cpSync, mkdirSync } from "node:fs";

mkdirSync("dist/assets/reference", { recursive: true });
cpSync("node_modules/@scalar/api-reference/dist/browser/standalone.js", "dist/assets/reference/scalar.js");
cpSync("docs/openapi.json", "dist/assets/openapi.json");
