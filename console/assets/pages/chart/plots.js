// Vital signs and laboratory values as plots, as of a moment.

import { html, useEffect, useMemo, useRef, useState } from "../../lib/html.js";
import { href } from "../../lib/route.js";
import { Failure, Loading, Moment, ResourceLink, Section, Table } from "../../lib/ui.js";
import { Folded, Limited } from "./folded.js";
import { Interpretation } from "./results.js";
import { extentOf, plotsOf, rangeIn, unchanged } from "./series.js";
import { versionOf } from "./summary.js";
import { inks, loadPlotting, plotInto } from "./plotting.js";

export function Plots({ history, version, patient }) {
  const [plotting, setPlotting] = useState({});
  useEffect(() => {
    loadPlotting().then((uPlot) => setPlotting({ uPlot }), (error) => setPlotting({ error }));
  }, []);
  // The axes are those of all that ever was in the chart: moving in time brings points and takes them, and nothing jumps.
  const extents = useMemo(() => extentsOf(plotsOf(history.events)), [history]);
  const before = useRef([]);
  const plots = useMemo(() => (before.current = unchanged(plotsOf(history.state(version)), before.current)), [history, version]);
  if (plotting.error) return html`<${Failure} error=${plotting.error} />`;
  if (!plotting.uPlot) return html`<${Loading} />`;
  return html`<div class="columns" data-version=${version}>
    ${plots.length ? plots.map((plot) => html`<${Plot} key=${plot.key} uPlot=${plotting.uPlot} plot=${plot}
      extent=${extents.get(plot.key)} patient=${patient} />`) : html`<p class="empty">No measured values at this moment.</p>`}
  </div>`;
}

function extentsOf(plots) {
  return new Map(plots.map((plot) => [plot.key, extentOf(plot, rangeIn(plot.points))]));
}

/** A plot, made again only when its points are others. */
function Plot({ uPlot, plot, extent, patient }) {
  const figure = () => html`<${Figure} uPlot=${uPlot} plot=${plot} extent=${extent} patient=${patient} />`;
  return useMemo(figure, [uPlot, plot, extent, patient]);
}

function Figure({ uPlot, plot, extent, patient }) {
  const { title, unit, lines, points } = plot;
  const range = rangeIn(points);
  const [pointed, setPointed] = useState(null);
  const shown = points[pointed] ?? points.at(-1);
  const eventOf = ({ version }) => href(["charts", patient, "timeline"], { version });
  const words = `${title}, ${points.length === 1 ? "1 value" : `${points.length} values`}, the latest ${valuesText(plot, points.at(-1))}`;
  return html`<${Section} title=${unit ? `${title}, ${unit}` : title} level=${2} data-plot=${plot.key}>
    <${Canvas} uPlot=${uPlot} plot=${plot} range=${range} extent=${extent} label=${words}
      onPoint=${setPointed} onChoose=${(index) => location.assign(eventOf(points[index].entry))} />
    <p class="plot-shown"><${Moment} at=${shown.entry.happened} dateOnly />: ${valuesText(plot, shown)}
      <${Interpretation} observation=${shown.entry.body} /></p>
    <p class="muted plot-key">${lines.length > 1 && lines.map(({ name }, index) => html`<span key=${name}>
      <i class=${`ink ink-${index % inks.length}`} aria-hidden="true"></i> ${name}</span>`)}
      ${range && html`<span><i class="ink ink-range" aria-hidden="true"></i> Reference range ${range.text}</span>`}</p>
    <${Folded} summary="Points as a table">${() => html`<${Points} plot=${plot} eventOf=${eventOf} />`}<//>
  <//>`;
}

/** The plot itself: made when it comes into sight, and drawn again when its points change. */
function Canvas({ uPlot, plot, range, extent, label, onPoint, onChoose }) {
  const box = useRef(null);
  const made = useRef(null);
  const calls = useRef({});
  calls.current = { onPoint, onChoose };
  useEffect(() => {
    const drawn = plotInto(uPlot, box.current, {
      extent,
      lines: plot.lines,
      onPoint: (index) => calls.current.onPoint(index),
      onChoose: (index) => calls.current.onChoose(index),
    });
    made.current = drawn;
    return () => drawn.end();
  }, [uPlot, plot.key, plot.lines.length, extent]);
  useEffect(() => made.current.show(plot, range), [uPlot, plot, extent]);
  return html`<div class="plot" ref=${box} role="img" aria-label=${label}></div>`;
}

/** The values of a point, in the order of the lines. */
function valuesText({ lines, unit }, { entry }) {
  return `${lines.map((line) => textAt(line, entry)).join(" / ")} ${unit}`;
}

/** The digits of a result on a line, as they were sent. */
function textAt({ key }, { measured }) {
  return measured.find((one) => one.key === key)?.text ?? "–";
}

function Points({ plot: { title, unit, lines, points }, eventOf }) {
  const columns = [
    { title: "When", isHeader: true, cell: ({ entry }) => html`<${Moment} at=${entry.happened} />` },
    ...lines.map((line, index) => ({
      title: lines.length > 1 ? line.name : "Value",
      cell: ({ entry }) => html`<span data-resource=${entry.resource}><${ResourceLink} reference=${versionOf(entry)}>
        ${textAt(line, entry)} ${unit}<//>${index === 0 && html`<${Interpretation} observation=${entry.body} />`}</span>`,
    })),
    { title: "Event", cell: ({ entry }) => html`<a href=${eventOf(entry)}>version ${entry.version}</a>` },
  ];
  return html`<${Limited} items=${points.toReversed()} step=${20}>${(shown) => html`<${Table} caption=${`Points of ${title}`}
    columns=${columns} rows=${shown} keyOf=${({ entry }) => entry.resource} />`}<//>`;
}
