import { defineFeature } from "#core/feature";

export default defineFeature({ name: "media", summary: "media", endpoints: [] });
