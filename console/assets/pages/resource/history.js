// All versions of a resource, oldest first, with who wrote each where the chart's events say so.

import { getExact, pages } from "../../lib/api.js";
import { nextOf } from "../../lib/bundle.js";
import { patientOf } from "../../lib/fhir.js";

/**
 * `{ number, at, resource, isDeleted, event, chartVersion }` of each version. The event, with its type and its actor, is
 * known of resources that lie in the chart of one patient.
 */
export async function history(type, id, signal) {
  const versions = [];
  for (let page = `fhir/${type}/${id}/_history?_count=100`; page; ) {
    const bundle = await getExact(page, { signal });
    for (const entry of bundle.entry ?? []) versions.push(versionOf(entry));
    page = nextOf(bundle);
  }
  versions.reverse();
  const patient = patientOfAll(versions);
  if (patient) {
    const events = await eventsOf(patient, `${type}/${id}`, signal);
    for (const version of versions) {
      version.event = events.get(version.number);
      version.chartVersion = version.event?.version;
    }
  }
  return versions;
}

function versionOf({ resource, response, request }) {
  const number = /"(\d+)"/.exec(response?.etag ?? "")?.[1] ?? resource?.meta?.versionId;
  return { number, at: response?.lastModified ?? resource?.meta?.lastUpdated, resource, isDeleted: request?.method === "DELETE" };
}

/** The patient whose chart holds the resource, as its last version with content says. */
export function patientOfAll(versions) {
  return patientOf(versions.findLast((version) => version.resource)?.resource);
}

/** The events about a resource in a chart, by the version of the resource. */
async function eventsOf(patient, resource, signal) {
  const found = new Map();
  try {
    for await (const { events } of pages(`v1/patients/${patient}/events`, { resource, count: 100 }, { signal })) {
      for (const event of events) if (event.versionId) found.set(event.versionId, event);
    }
  } catch (error) {
    // Who may read the resource may not always read the chart; then it is not said who wrote the versions.
    if (!error.status) throw error;
  }
  return found;
}
