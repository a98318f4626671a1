// Who set each element when: the last version that changed it, and who wrote that.

import { html, useMemo } from "../../lib/html.js";
import { isObject, same } from "../../lib/difference.js";
import { shown } from "../../lib/exact.js";
import { href } from "../../lib/route.js";
import { Moment, Section, Table } from "../../lib/ui.js";

export function Blame({ versions, upTo }) {
  const rows = useMemo(() => blame(versions.slice(0, versions.indexOf(upTo) + 1)), [versions, upTo]);
  const columns = [
    { title: "Element", isHeader: true, cell: ({ path }) => html`<code>${path}</code>` },
    { title: "Value", cell: ({ value }) => shown(value) },
    { title: "Set in version", class: "number", cell: ({ set }) => html`<a href=${href(addressOf(set.resource), { version: set.number })}>${set.number}</a>` },
    { title: "When", class: "once", cell: ({ set }) => html`<${Moment} at=${set.at} />` },
    { title: "By", cell: ({ set }) => set.event?.actor?.name ?? set.event?.actor?.subject },
  ];
  return html`<${Section} title=${`Who set what, as of version ${upTo.number}`}>
    <${Table} caption="Elements, and who set them" columns=${columns} rows=${rows} keyOf=${({ path }) => path} empty="Nothing: this version is the deletion." /><//>`;
}

function addressOf(resource) {
  return ["resources", resource.resourceType, resource.id];
}

/** `{ path, value, set }` of each primitive of the last of these versions; `set` is the version that gave it this value. */
export function blame(versions) {
  const tree = versions.reduce((before, version) => version.resource && grown(version.resource, before, version), null);
  const rows = [];
  const walk = (node, path) => {
    if (node.members) for (const [name, member] of node.members) walk(member, path ? `${path}.${name}` : name);
    else if (node.items) node.items.forEach((item, index) => walk(item, `${path}[${index}]`));
    else rows.push({ path, value: node.value, set: node.set });
  };
  if (tree) for (const [name, member] of tree.members) if (name !== "meta") walk(member, name);
  return rows;
}

/**
 * The value as a tree that remembers of each node in which version it came to be what it is; `before` is the tree of the
 * version before. An item of a list is what it was if an equal one was in the list, wherever it stood.
 */
function grown(value, before, version) {
  if (before && same(before.value, value)) return before;
  const node = { value, set: version };
  if (isObject(value)) {
    node.members = Object.entries(value).map(([name, member]) => [name, grown(member, before?.members?.find(([known]) => known === name)?.[1], version)]);
  } else if (Array.isArray(value)) {
    const left = [...(before?.items ?? [])];
    const equal = value.map((item) => left.splice(left.findIndex((known) => same(known.value, item)) >>> 0, 1)[0]);
    node.items = value.map((item, index) => equal[index] ?? grown(item, before?.items?.[index], version));
  }
  return node;
}
