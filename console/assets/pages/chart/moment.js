// The moment of the chart that is shown: a version in the address, and the slider that moves it.

import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { amend, moment } from "../../lib/ui.js";
import { parse } from "../../lib/route.js";
import { Cursor, Density } from "./density.js";

/** How long the slider rests before the address follows: browsers refuse many changes of it in a short time. */
const REST = 200;

/**
 * `[version, setVersion]`: the version of the chart that is shown. It follows the address (`version=`, missing for now), and
 * the address follows it, without steps for the browser's Back.
 */
export function useVersion(route, history) {
  const named = route.query.get("version");
  const [version, setVersion] = useState(null);
  const timer = useRef(0);
  const last = history?.last ?? 0;
  useEffect(() => {
    if (timer.current) return;
    const asked = /^\d+$/.test(named ?? "") ? Number(named) : last;
    setVersion(asked < last ? asked : null);
  }, [named, last]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const move = (to) => {
    const shown = to < last ? Math.max(to, 0) : null;
    setVersion(shown);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      timer.current = 0;
      amend(parse(location.hash), { version: shown }, { replace: true });
    }, REST);
  };
  return [version ?? last, move];
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
    <p class="moment-text"><strong>${isNow ? "Now" : "As it was"}</strong>
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
