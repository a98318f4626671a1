// Long lists: parts that are made only when somebody opens them, or asks for more.

import { html, useState } from "../../lib/html.js";

/** What stands behind a summary; `children()` makes it when it is opened. */
export function Folded({ summary, children, isOpen = false }) {
  const [wasOpened, setOpened] = useState(isOpen);
  return html`<details open=${isOpen} onToggle=${(event) => event.target.open && setOpened(true)}>
    <summary>${summary}</summary>${wasOpened && children()}</details>`;
}

/** The first of many; `children(items)` makes them, and a button brings `step` more. */
export function Limited({ items, step = 20, children }) {
  const [limit, setLimit] = useState(step);
  return html`${children(items.slice(0, limit))}
    ${items.length > limit && html`<p><button type="button" class="plain" onClick=${() => setLimit(limit + 5 * step)}>
      Show more (${items.length - limit} not shown)</button></p>`}`;
}
