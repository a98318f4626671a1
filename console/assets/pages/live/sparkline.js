// A figure as a small line over the last minutes, with its value now.

import { html } from "../../lib/html.js";

const [WIDTH, HEIGHT] = [160, 36];

/** `values`: the newest last; `text(value)`: how one is written. */
export function Sparkline({ title, values, text = String }) {
  const now = values.at(-1);
  if (now === undefined) return null;
  const highest = Math.max(...values, Number.EPSILON);
  const step = WIDTH / Math.max(values.length - 1, 1);
  const y = (value) => HEIGHT - 2 - (value / highest) * (HEIGHT - 4);
  const points = values.map((value, at) => `${(at * step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return html`<figure class="figure">
    <figcaption><span class="muted">${title}</span> <strong>${text(now)}</strong></figcaption>
    <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img"
      aria-label=${`${title}: ${text(now)} now, ${text(highest)} at most`}>
      <polyline points=${points} fill="none" stroke="currentColor" stroke-width="1.5" vector-effect="non-scaling-stroke" /></svg>
  </figure>`;
}
