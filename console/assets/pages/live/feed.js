// The events of the log as they come, the newest on top.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { href } from "../../lib/route.js";
import { Failure, Field, Kind, Moment, ResourceLink, Section, Table, amend } from "../../lib/ui.js";
import { follow } from "./stream.js";

const KEPT = 200;
const REDRAW_MS = 250;
const FILTERS = ["type", "kind", "patient"];
const STATES = {
  connecting: "Connecting…",
  open: "Connected: events appear as they are recorded.",
  waiting: "The connection broke; it is tried again, from the last event on.",
  failed: "The server refused.",
};
const COLUMNS = [
  { title: "Position", class: "number", cell: ({ position }) => position },
  { title: "Recorded", class: "once", cell: ({ recordedAt }) => html`<${Moment} at=${recordedAt} />` },
  { title: "What", cell: (event) => html`<${Kind} type=${event.type} />` },
  { title: "Of what", isHeader: true, cell: what },
  { title: "Chart", cell: chartOf },
  { title: "Who", cell: who },
];

function what({ resource, versionId, type }) {
  if (!resource) return type;
  return html`<${ResourceLink} reference=${versionId ? `${resource}/_history/${versionId}` : resource}>${resource}<//>`;
}

function chartOf({ patient, chart, version }) {
  if (!patient) return chart && html`<code>${chart}</code>`;
  return html`<a href=${href(["charts", patient])}>${patient}</a> <span class="muted">event ${version}</span>`;
}

function who({ actor }) {
  return actor && html`<a href=${href(["looks"], { actor: actor.subject })}>${actor.name ?? actor.subject}</a>`;
}

/** The feed, filtered by what the address says. */
export function Feed({ route }) {
  const filter = Object.fromEntries(FILTERS.map((name) => [name, route.query.get(name)]).filter(([, value]) => value));
  const { events, state, error, isPaused, waiting, setPaused } = useFeed(filter);
  const submit = (event) => {
    event.preventDefault();
    amend(route, Object.fromEntries(new FormData(event.target)));
  };
  const field = (name, label, hint) => html`<${Field} label=${label} hint=${hint}>${(given) =>
    html`<input ...${given} name=${name} defaultValue=${filter[name] ?? ""} spellcheck=${false} />`}<//>`;
  return html`<form class="row filters top-line" onSubmit=${submit} key=${JSON.stringify(filter)} aria-label="Which events">
      ${field("type", "Types", "Observation,Condition")}
      ${field("kind", "Kinds", "recorded,chart.erased")}
      ${field("patient", "Patient (id)", "events in that chart")}
      <div class="field actions"><button class="main">Follow</button></div>
    </form>
    <${Section} title="Feed" actions=${html`<button type="button" aria-pressed=${isPaused}
        onClick=${() => setPaused(!isPaused)}>${isPaused ? `Go on (${waiting} waiting)` : "Pause"}</button>`}>
      <p class="muted" role="status">${isPaused ? "Paused: what comes is kept." : STATES[state]}</p>
      <${Failure} error=${state === "failed" && error} />
      <${Table} caption="The newest events" columns=${COLUMNS} rows=${events}
        keyOf=${({ position, part }) => `${position}.${part ?? 0}`}
        empty="Nothing was recorded since this page is open." />
      ${events.length === KEPT && html`<p class="muted">The newest ${KEPT} are shown.</p>`}
    <//>`;
}

/** The newest events that a filter lets through. Those that come during a pause wait for its end. */
function useFeed(filter) {
  const [shown, setShown] = useState([]);
  const [connection, setConnection] = useState({ state: "connecting" });
  const [isPaused, setPaused] = useState(false);
  const newest = useRef([]);
  const paused = useRef(false);
  const arrived = useRef(0);
  const [waiting, setWaiting] = useState(0);
  const show = () => {
    arrived.current = 0;
    setWaiting(0);
    setShown(newest.current);
  };
  useEffect(() => {
    const control = new AbortController();
    newest.current = [];
    show();
    let timer;
    const redraw = () => {
      timer = undefined;
      if (paused.current) setWaiting(arrived.current);
      else show();
    };
    const onEvent = (event) => {
      newest.current = [event, ...newest.current].slice(0, KEPT);
      arrived.current += 1;
      timer ??= setTimeout(redraw, REDRAW_MS);
    };
    const onState = (state, error) => control.signal.aborted || setConnection({ state, error });
    follow({ ...filter, include: "actor" }, { signal: control.signal, onEvent, onState });
    return () => {
      control.abort();
      clearTimeout(timer);
    };
  }, [JSON.stringify(filter)]);
  const pause = (isPaused) => {
    paused.current = isPaused;
    setPaused(isPaused);
    if (!isPaused) show();
  };
  return { events: shown, ...connection, isPaused, waiting, setPaused: pause };
}
