import { defineFeature } from "#core/feature";

export default defineFeature({ name: "conversions", summary: "conversions", endpoints: [] });
