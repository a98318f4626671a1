// The moment of the chart that is shown: a version in the address, and the slider that moves it.

import { html, useMemo } from "../../lib/html.js";
import { moment } from "../../lib/ui.js";
import { Cursor, Density } from "./density.js";
import { useMoving } from "./moving.js";

/**
 * `[version, setVersion]`: the version of the chart that is shown, which the address names (`version=`, missing for now).
 */
export function useVersion(route, history) {
  const last = history?.last ?? 0;
  const named = route.query.get("version");
  const [{ version }, move] = useMoving(route, { version: /^\d+$/.test(named ?? "") ? Number(named) : last });
  return [Math.min(version, last), (to) => move({ version: to < last ? to : null }, { version: Math.min(to, last) })];
}

/** The slider over the versions of the chart, from its first event to now, and how its events lie in time. */
export function MomentSlider({ history, version, onMove }) {
  const shown = history.eventAt(version);
  const isNow = version >= history.last;
  const first = history.events[0]?.version ?? 0;
  const step = (by) => {
    const index = history.countAt(version) - 1 + by;
    const event = history.events[Math.max(0, Math.min(index, history.events.length - 1))];
    if (event) onMove(event.version);
  };
  const density = useMemo(() => html`<${Density} history=${history} onMove=${onMove} />`, [history]);
  return html`<section class="section moment" aria-label="Time">
    <p class="moment-text"><strong class=${isNow ? undefined : "kind kind-amended"}>${isNow ? "Now" : "As it was"}</strong>
      <span>${shown ? moment(shown.at) : "before the first event"}</span>
      <span class="muted">version ${version} of ${history.last}</span></p>
    <div class="moment-strip">${density}<${Cursor} history=${history} shown=${shown} /></div>
    <div class="moment-slider">
      <button type="button" aria-label="One event earlier" disabled=${version <= first} onClick=${() => step(-1)}>‹</button>
      <input type="range" aria-label="Moment of the chart" min=${first} max=${history.last} step="1" value=${version}
        aria-valuetext=${`version ${version} of ${history.last}, ${shown ? moment(shown.at) : "before the first event"}`}
        onInput=${(event) => onMove(Number(event.target.value))} />
      <button type="button" aria-label="One event later" disabled=${isNow} onClick=${() => step(1)}>›</button>
      <button type="button" disabled=${isNow} onClick=${() => onMove(history.last)}>Now</button>
    </div>
  </section>`;
}
