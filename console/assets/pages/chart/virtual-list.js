// A long list of rows of one height, of which only those in sight are made.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../../lib/html.js";

/** Rows made beyond those in sight: enough that the keyboard finds the next one before it is in sight. */
const BEYOND = 4;

/**
 * `count` rows, each made by `rowAt(index)`. The height of a row is that of `.virtual-row` in the style sheet. What was made
 * for a row out of sight is used for one that comes into sight. The arrow keys, Home and End move between the rows' first
 * controls. When `startsAnewOn` changes, the list is shown from its top.
 */
export function VirtualList({ label, count, rowAt, startsAnewOn }) {
  const box = useRef(null);
  const probe = useRef(null);
  const wanted = useRef(null);
  const [view, setView] = useState({ first: 0, rows: 20, height: 40 });
  const [, setAsked] = useState(0);

  const look = () => {
    if (!box.current) return;
    const height = probe.current.offsetHeight || 40;
    const first = Math.floor(box.current.scrollTop / height);
    const rows = Math.ceil(box.current.clientHeight / height) + 1;
    const isSame = (before) => before.first === first && before.rows === rows && before.height === height;
    setView((before) => (isSame(before) ? before : { first, rows, height }));
    // A row that is scrolled out of sight becomes another one: its focus goes to the list.
    const focused = rowOf(document.activeElement);
    const isGone = focused !== null && (focused < first - BEYOND || focused >= first + rows + BEYOND);
    if (isGone) box.current.focus({ preventScroll: true });
  };
  const rowOf = (element) => {
    const row = box.current.contains(element) ? element.closest("[aria-posinset]") : null;
    return row && Number(row.getAttribute("aria-posinset")) - 1;
  };
  useEffect(() => {
    const observer = new ResizeObserver(look);
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    box.current.scrollTop = 0;
    look();
  }, [startsAnewOn]);
  // A row that the keyboard asked for gets the focus when it is made.
  useLayoutEffect(() => {
    if (wanted.current === null) return;
    const control = box.current.querySelector(`[aria-posinset="${wanted.current + 1}"] :is(button, a)`);
    wanted.current = null;
    control?.focus({ preventScroll: true });
  });

  const goTo = (index) => {
    const { scrollTop, clientHeight } = box.current;
    const [top, bottom] = [index * view.height, (index + 1) * view.height];
    if (top < scrollTop) box.current.scrollTop = top;
    else if (bottom > scrollTop + clientHeight) box.current.scrollTop = bottom - clientHeight;
    wanted.current = index;
    look();
    setAsked((asked) => asked + 1);
  };
  const keyDown = (event) => {
    const to = target(event.key, rowOf(event.target) ?? view.first - 1, count);
    if (to === undefined || event.target.closest("select, input")) return;
    event.preventDefault();
    goTo(to);
  };

  const from = Math.max(0, Math.min(view.first, count) - BEYOND);
  const to = Math.min(count, view.first + view.rows + BEYOND);
  const indices = Array.from({ length: Math.max(0, to - from) }, (_, place) => from + place);
  const slots = view.rows + 2 * BEYOND + 1;
  return html`<div class="virtual" ref=${box} tabindex="0" role="region" aria-label=${label} onScroll=${look} onKeyDown=${keyDown}>
    <div class="virtual-row virtual-probe" ref=${probe} aria-hidden="true"></div>
    <div class="virtual-all" role="list" aria-label=${label} style=${{ height: `${count * view.height}px` }}>
      ${indices.map((index) => html`<div key=${index % slots} class="virtual-row"
        role="listitem" aria-setsize=${count} aria-posinset=${index + 1}
        style=${{ transform: `translateY(${index * view.height}px)` }}>${rowAt(index)}</div>`)}
    </div>
    ${count === 0 && html`<p class="empty">No events.</p>`}
  </div>`;
}

/** The row that a key leads to from a row. */
function target(key, index, count) {
  const to = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: count - 1 }[key];
  return to === undefined || !count ? undefined : Math.max(0, Math.min(to, count - 1));
}
