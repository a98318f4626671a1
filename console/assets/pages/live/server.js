// How the server is: health, rates and sizes from /metrics, work in the background, and disposal that is due.

import { html, useEffect, useRef, useState } from "../../lib/html.js";
import { get, send } from "../../lib/api.js";
import { may } from "../../lib/session.js";
import { Failure, Loaded, Loading, Moment, Section, Table, useLoad } from "../../lib/ui.js";
import { lacking } from "../looks/rights.js";
import { operationsOf, rate, readMetrics, sum } from "./metrics.js";
import { Sparkline } from "./sparkline.js";

const POLL_MS = 2000;
const KEPT = 90;

export function Server() {
  const { samples, health, error } = useSamples();
  return html`<${Health} health=${health} />
    ${error ? html`<${Off} error=${error} />`
      : samples.length ? html`<${Figures} samples=${samples} />`
      : html`<${Loading} what="Reading the figures" />`}
    <${Disposal} />`;
}

/** Samples of the figures, the newest last, every two seconds while somebody looks; and the last word on health. */
function useSamples() {
  const [state, setState] = useState({ samples: [] });
  const samples = useRef([]);
  useEffect(() => {
    const control = new AbortController();
    const { signal } = control;
    let isOff = false;
    const look = async () => {
      if (document.visibilityState !== "visible") return;
      const health = await get("health/ready", { signal }).catch((error) => ({ error }));
      if (signal.aborted) return;
      if (isOff) return setState((before) => ({ ...before, health }));
      try {
        const response = await send("GET", "metrics", { headers: { accept: "text/plain" }, signal });
        samples.current = [...samples.current, { at: Date.now(), metrics: readMetrics(await response.text()) }].slice(-KEPT);
        if (!signal.aborted) setState({ samples: samples.current, health });
      } catch (error) {
        isOff = error.status === 403 || error.status === 404;
        if (!signal.aborted) setState({ samples: samples.current, health, error });
      }
    };
    look();
    const timer = setInterval(look, POLL_MS);
    return () => {
      control.abort();
      clearInterval(timer);
    };
  }, []);
  return state;
}

function Health({ health }) {
  if (!health) return null;
  if (health.error) return html`<p class="verdict bad" role="status">Not ready: ${health.error.message}</p>`;
  const said = health.status === "ready" ? "Ready: it reads and writes." : `It says: ${health.status}.`;
  return html`<p class="verdict good" role="status">${said}</p>`;
}

function Off({ error }) {
  if (error.status === 404 || error.status === 403) {
    return html`<p class="note">The figures are off for this browser: <code>server.metrics</code> says who gets them.</p>`;
  }
  return html`<${Failure} error=${error} />`;
}

function Figures({ samples }) {
  const { metrics } = samples.at(-1);
  const pairs = samples.slice(1).map((after, at) => [samples[at], after]);
  const rates = (name, isMeant) => pairs.map(([before, after]) => rate(before, after, name, isMeant));
  const [seconds, answered] = ["sum", "count"].map((part) => rates(`chartlog_request_seconds_${part}`));
  const means = seconds.map((sum, at) => sum / answered[at] || 0);
  const ofClass = (wanted) => rates("chartlog_requests_total", ({ status }) => status === wanted);
  const sizes = samples.map((sample) => sum(sample.metrics, "chartlog_applied_position") ?? 0);
  return html`<${Section} title="Rates and sizes">
      <div class="figures">
        <${Sparkline} title="Requests/s" values=${rates("chartlog_requests_total")} text=${perSecond} />
        <${Sparkline} title="4xx/s" values=${ofClass("4xx")} text=${perSecond} />
        <${Sparkline} title="5xx/s" values=${ofClass("5xx")} text=${perSecond} />
        <${Sparkline} title="Mean time" values=${means} text=${time} />
        <${Sparkline} title="Events/s" values=${rates("chartlog_applied_position")} text=${perSecond} />
        <${Sparkline} title="Events in the log" values=${sizes} text=${whole} />
      </div>
      <${Operations} metrics=${metrics} before=${samples.at(-2)} after=${samples.at(-1)} />
    <//>
    <${Work} metrics=${metrics} />
    <${Lag} metrics=${metrics} />
    <${Section} title="All figures"><details><summary>${metrics.length} lines</summary>
      <${Table} caption="Figures as the server tells them" rows=${metrics}
      columns=${[
        { title: "Name", isHeader: true, cell: ({ name }) => html`<code>${name}</code>` },
        { title: "Labels", cell: ({ labels }) => Object.entries(labels).map((pair) => pair.join("=")).join(" ") },
        { title: "Value", class: "number", cell: ({ value }) => String(value) },
      ]} /></details><//>`;
}

function Operations({ metrics, before, after }) {
  const rows = operationsOf(metrics).sort((one, other) => other.requests - one.requests);
  const each = (row) =>
    before && rate(before, after, "chartlog_requests_total", ({ operation }) => operation === row.operation);
  const number = (title, cell) => ({ title, class: "number", cell });
  const columns = [
    { title: "Operation", isHeader: true, cell: ({ operation }) => operation },
    number("Requests", ({ requests }) => whole(requests)),
    number("Now", (row) => perSecond(each(row) ?? 0)),
    number("4xx", ({ clientErrors }) => whole(clientErrors)),
    number("5xx", ({ serverErrors }) => whole(serverErrors)),
    number("Mean", ({ mean }) => time(mean)),
    number("95 of 100 within", ({ high }) => time(high || undefined)),
  ];
  return html`<${Table} caption="Requests by operation" columns=${columns} rows=${rows}
    keyOf=${({ operation }) => operation} empty="No request was counted yet." />`;
}

/** Work in the background: views that are made anew, after an erasure or with a new version. */
function Work({ metrics }) {
  const [done, total] = ["done", "total"].map((name) => sum(metrics, `chartlog_views_building_${name}`) ?? 0);
  const isWritable = sum(metrics, "chartlog_writable");
  return html`<${Section} title="Work in the background">
    <dl class="facts">
      <dt>Writing</dt><dd>${isWritable === 0 ? "stopped: the server only reads" : "possible"}</dd>
      <dt>Views</dt><dd>generation ${sum(metrics, "chartlog_views_generation") ?? "unknown"}${total > 0
        ? html`, the next is being made: <progress value=${done} max=${total} aria-label="Views being made"></progress> ${whole(done)} of ${whole(total)}`
        : ", nothing is being made anew"}</dd>
    </dl>
  <//>`;
}

/** What is sent on, and how far each is behind: a row for each subscription or delivery, a column for each figure. */
function Lag({ metrics }) {
  const found = metrics.filter(({ name }) => /^chartlog_(subscription|delivery)_/.test(name));
  if (!found.length) return null;
  const rows = new Map();
  for (const { name, labels, value } of found) {
    const of = Object.values(labels).join(" ");
    const said = name.endsWith("_timestamp_seconds") ? new Date(value * 1000).toISOString() : value;
    rows.set(of, { ...rows.get(of), of, [nameOf(name)]: said });
  }
  const names = [...new Set(found.map(({ name }) => nameOf(name)))].sort();
  const columns = [
    { title: "Of what", isHeader: true, cell: ({ of }) => html`<code>${of}</code>` },
    ...names.map((name) => ({ title: name, class: "number", cell: (row) => figure(row[name]) })),
  ];
  return html`<${Section} title="What is sent on"><${Table} caption="Subscriptions and deliveries" columns=${columns}
    rows=${[...rows.values()]} keyOf=${({ of }) => of} /><//>`;
}

function figure(value) {
  if (value === undefined) return "";
  return typeof value === "string" ? html`<${Moment} at=${value} />` : whole(value);
}

/** `chartlog_subscription_failures_total` as the title of a column. */
function nameOf(name) {
  const bare = name.replace(/^chartlog_(subscription|delivery)_/, "").replace(/_(total|timestamp_seconds)$/, "");
  const words = bare.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

function Disposal() {
  const isAllowed = may("r", "Retention");
  const load = useLoad(async (signal) => (isAllowed ? get("v1/retention", { signal }) : null), [isAllowed]);
  if (!isAllowed) {
    const note = lacking("Seeing what is due to be disposed of", "user/Retention.r");
    return html`<${Section} title="Old access entries"><p class="muted">${note}</p><//>`;
  }
  const columns = [
    { title: "Segment", isHeader: true, cell: ({ segment }) => segment },
    { title: "From", cell: ({ since }) => html`<${Moment} at=${since} />` },
    { title: "Until", cell: ({ until }) => html`<${Moment} at=${until} />` },
    { title: "Bytes", class: "number", cell: ({ bytes }) => whole(bytes) },
    { title: "Fate", cell: ({ fate, patients }) => `${fate}${patients?.length ? `: ${patients.join(", ")}` : ""}` },
  ];
  return html`<${Section} title="Old access entries"><${Loaded} load=${load}>${({ years, segments }) => html`
    <p>${years ? `Entries are kept for ${years} years.` : "Entries are kept for ever."}</p>
    <${Table} caption="Closed segments of the access log" columns=${columns} rows=${segments} empty="No segment is closed yet." />`}<//><//>`;
}

function perSecond(value) {
  return `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)}/s`;
}

function time(seconds) {
  if (seconds === undefined) return "";
  return seconds >= 1 ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
}

function whole(value) {
  return value.toLocaleString("en");
}
