// What an integrator does first, with a client generated from the OpenAPI document:
// npx openapi-typescript ../../../openapi/chartlog.json -o chartlog.d.ts && npx tsc && node use.js BASE TOKEN
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./chartlog.js";

const [base, token] = process.argv.slice(2);
assert(base && token, "use.js BASE TOKEN");
const client = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${token}` } });

const id = "p0001";
const path = { id };
type Resource = components["schemas"]["Resource"];
const observation: Resource = {
  resourceType: "Observation",
  id: `typed-${Date.now()}`,
  status: "final",
  code: { text: "Heart rate" },
  subject: { reference: `Patient/${id}` },
};

// Append an event.
const appended = await client.POST("/v1/patients/{id}/events", {
  params: { path },
  body: { events: [{ type: "Observation.recorded", resource: observation }] },
});
assert(appended.data, appended.error?.detail);
assert.equal(appended.response.status, 201);
const position = appended.data.position;
assert(typeof position === "number");

// The chart as it is, and as it was before.
const now = await client.GET("/v1/patients/{id}/chart", { params: { path } });
assert(now.data, now.error?.detail);
const version = now.data.version - 1;
const before = await client.GET("/v1/patients/{id}/chart", { params: { path, query: { version } } });
assert(before.data, before.error?.detail);
const ids = (chart: components["schemas"]["Chart"]) => chart.resources.map((one) => one.id);
assert(ids(now.data).includes(observation.id));
assert(!ids(before.data).includes(observation.id));

// Who looked: this program has.
const accesses = await client.GET("/v1/patients/{id}/accesses", { params: { path, query: { operation: "readChart", count: 2 } } });
assert(accesses.data, accesses.error?.detail);
assert.equal(accesses.data.accesses[0]?.operation, "readChart");

// A page of the feed, from the event on.
const feed = await client.GET("/v1/events", { params: { query: { after: position - 1, include: "resource", limit: 1 } } });
assert(feed.data, feed.error?.detail);
assert.equal(feed.data.events[0]?.body?.id, observation.id);

// An error says what is wrong, in its type.
const refused = await client.GET("/v1/patients/{id}/accesses", { params: { path, query: { count: 5000 } } });
assert(refused.error);
assert.equal(refused.error.errors?.[0]?.place, "count");

console.log("append, chart, accesses and feed work by generated types (TypeScript)");
