// The history of a chart in memory: its events, and what was in force at any of its versions.

import { codeText, happenedAt, title } from "../../lib/fhir.js";
import { codeKey, measuredIn, rangeOf, resultText } from "./results.js";

/**
 * The events of a chart, oldest first, with what every view asks of them worked out once, when they arrive: then moving
 * through time is a look into an index, and no resource is read again.
 */
export class History {
  constructor() {
    /** The events as `entryOf` makes them. */
    this.events = [];
    /** By `Type/id`: the events that brought a version of that resource, or took it away. */
    this.byResource = new Map();
    /** The events that began or ended a legal hold. */
    this.holds = [];
  }

  /** Takes a page of events, as `v1/patients/{id}/events` answers. */
  append(page) {
    for (const event of page) this.#add(entryOf(event));
  }

  /** A history with the events of this one, and those of a page that it does not have yet; itself if there are none. */
  extendedBy(page) {
    const more = page.filter(({ version }) => version > this.last);
    if (!more.length) return this;
    const history = new History();
    for (const entry of this.events) history.#add(entry);
    history.append(more);
    return history;
  }

  #add(entry) {
    this.events.push(entry);
    if (entry.kind === "held" || entry.kind === "released") this.holds.push(entry);
    if (!entry.resource) return;
    const versions = this.byResource.get(entry.resource);
    if (versions) {
      entry.replaced = versions.at(-1);
      versions.push(entry);
    } else {
      this.byResource.set(entry.resource, [entry]);
    }
  }

  /** The version of the chart now, as far as it was loaded; 0 before the first event. */
  get last() {
    return this.events.at(-1)?.version ?? 0;
  }

  /** The last event up to a version of the chart, if there is one. */
  eventAt(version) {
    return lastUpTo(this.events, version);
  }

  /** How many events there are up to a version of the chart. */
  countAt(version) {
    return countUpTo(this.events, version);
  }

  /** The last version of the chart that was recorded up to an instant, in milliseconds. */
  versionAt(milliseconds) {
    const count = countWhile(this.events, (entry) => entry.recorded <= milliseconds);
    return this.events[Math.max(count - 1, 0)]?.version ?? 0;
  }

  /** The event whose body a resource has at a version of the chart; nothing if the chart does not hold it then. */
  inForce(resource, version) {
    const entry = lastUpTo(this.byResource.get(resource) ?? [], version);
    return entry?.body ? entry : undefined;
  }

  /** The events whose bodies make up the chart at a version. */
  state(version) {
    if (this.held?.version !== version) {
      const entries = [];
      for (const versions of this.byResource.values()) {
        const entry = lastUpTo(versions, version);
        if (entry?.body) entries.push(entry);
      }
      this.held = { version, entries };
    }
    return this.held.entries;
  }
}

/**
 * An event with what is asked of it. `body` is what the chart holds from it on, nothing if that ends; `replaced`, once it is
 * in a history, is the event of the same resource before it.
 */
function entryOf({ version, recordedAt, type, resource, versionId, actor, reason, body }) {
  const dot = type.lastIndexOf(".");
  const kind = type.slice(dot + 1);
  const isGone = kind === "removed" || kind === "moved-out";
  const happened = body && happenedAt(body);
  return {
    version,
    at: recordedAt,
    recorded: Date.parse(recordedAt),
    eventType: type,
    kind,
    isOfChart: type.startsWith("chart."),
    resource,
    type: resource?.slice(0, resource.indexOf("/")),
    versionId,
    actor,
    reason,
    body: isGone ? undefined : body,
    title: body && titleOf(body),
    happened,
    happenedAt: happened ? Date.parse(happened) : Number.NaN,
    isError: body ? isEnteredInError(body) : false,
    code: body?.code && codeKey(body.code),
    measured: body?.resourceType === "Observation" ? measuredIn(body) : [],
    range: body?.referenceRange && rangeOf(body),
  };
}

/** A resource in a line; panels with what their components say. */
function titleOf(resource) {
  return resource.component?.length ? `${codeText(resource.code)}: ${resultText(resource)}` : title(resource);
}

/** Whether a resource says of itself that it was entered in error: in its status, or its verification status. */
export function isEnteredInError(resource) {
  const codes = resource.verificationStatus?.coding ?? [];
  return resource.status === "entered-in-error" || codes.some(({ code }) => code === "entered-in-error");
}

function lastUpTo(entries, version) {
  return entries[countUpTo(entries, version) - 1];
}

/** How many of some events of a chart, oldest first, there are up to a version of it. */
export function countUpTo(entries, version) {
  return countWhile(entries, (entry) => entry.version <= version);
}

/** How many entries at the front of a list satisfy `isBefore`, which holds for a front of it alone. */
function countWhile(entries, isBefore) {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(entries[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}
