import { defineFeature } from "#core/feature";

export default defineFeature({ name: "secrets", summary: "secrets", endpoints: [] });
