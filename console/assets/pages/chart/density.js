// How the events of a chart lie in time, as a strip of bars. It is a picture and a shortcut: the slider says and does the same.

import { html } from "../../lib/html.js";
import { moment } from "../../lib/ui.js";

const BARS = 160;
const HEIGHT = 24;

/** The strip; a click leads to what was recorded up to there. Nothing if all was recorded in one moment. */
export function Density({ history, onMove }) {
  const span = spanOf(history);
  if (!span) return null;
  const counts = new Array(BARS).fill(0);
  for (const { recorded } of history.events) {
    counts[Math.min(BARS - 1, Math.floor(((recorded - span.first) / span.length) * BARS))] += 1;
  }
  const most = Math.max(...counts);
  // Few events beside many are still to be seen.
  const bars = counts.map((count, index) => count && `M${index} ${HEIGHT}h.8v${-(3 + (HEIGHT - 3) * Math.sqrt(count / most))}h-.8z`);
  const click = (event) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    onMove(history.versionAt(span.first + ((event.clientX - left) / width) * span.length));
  };
  return html`<svg class="density" viewBox=${`0 0 ${BARS} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" onClick=${click}>
      <path class="density-years" d=${yearsIn(span).map((share) => `M${share * BARS} 0V${HEIGHT}`).join("")} />
      <path class="density-bars" d=${bars.filter(Boolean).join("")} />
    </svg>
    <div class="density-ends" aria-hidden="true"><span>${moment(history.events[0].at, true)}</span>
      <span>${moment(history.events.at(-1).at, true)}</span></div>`;
}

/** Where in the strip the shown moment lies. */
export function Cursor({ history, shown }) {
  const span = spanOf(history);
  if (!span) return null;
  const share = shown ? (shown.recorded - span.first) / span.length : 0;
  return html`<div class="density-cursor" aria-hidden="true" style=${{ left: `${share * 100}%` }}></div>`;
}

function spanOf({ events }) {
  if (!events.length) return null;
  const [first, last] = [events[0].recorded, events.at(-1).recorded];
  return last - first < 60_000 ? null : { first, last, length: last - first };
}

/** Where years begin, as shares of the span. */
function yearsIn({ first, last, length }) {
  const shares = [];
  for (let year = new Date(first).getFullYear() + 1; year <= new Date(last).getFullYear(); year += 1) {
    shares.push((new Date(year, 0, 1) - first) / length);
  }
  return shares;
}
