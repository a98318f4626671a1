// Draws series with uPlot: loaded when it is first needed, in the colours of the page, made only when in sight.

import { inFrame, notInFrame } from "./frames.js";

/** The colours of the lines, as variables of the style sheet. */
export const inks = ["accent", "warn", "bad", "good"];
const DASHES = [undefined, [6, 4], [2, 3], [10, 4, 2, 4]];
const HEIGHT = 190;

/** uPlot, with its style sheet in the page. */
export async function loadPlotting() {
  const address = new URL("../../vendor/uplot.css", import.meta.url).href;
  if (![...document.styleSheets].some(({ href }) => href === address)) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = address;
    const loaded = new Promise((resolve, reject) => {
      link.onload = resolve;
      link.onerror = () => reject(new Error("The style sheet of the plots cannot be loaded."));
    });
    document.head.append(link);
    await loaded;
  }
  return (await import("../../vendor/uplot.js")).default;
}

/**
 * A plot in an element: `show(plot, range)` draws points, `end()` takes it away. `onPoint(index)` tells the point under the
 * pointer (null: none), `onChoose(index)` the one that was clicked.
 */
export function plotInto(uPlot, element, { extent, lines, onPoint, onChoose }) {
  const key = {};
  let [plot, shown, isInSight, colours] = [null, null, false, coloursOf(element)];

  const draw = () => {
    if (!shown || !isInSight) return;
    if (!plot) make();
    const { points } = shown.plot;
    plot.setData([points.map(({ x }) => x), ...lines.map((_, line) => points.map(({ values }) => values[line] ?? null))], false);
    plot.redraw(true, false);
  };
  const later = () => inFrame(key, draw);

  const make = () => {
    const thin = { stroke: () => colours.line, width: 1 };
    const axis = { stroke: () => colours.muted, grid: thin, ticks: thin };
    plot = new uPlot({
      width: element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: true, range: () => extent.x }, y: { range: () => extent.y } },
      axes: [axis, { ...axis, size: 48 }],
      series: [{}, ...lines.map((_, line) => seriesOf(line, () => colours))],
      hooks: {
        drawClear: [(plot) => drawBand(plot, shown.range, colours.band)],
        setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)],
      },
    }, [[], ...lines.map(() => [])], element);
    plot.over.addEventListener("click", () => typeof plot.cursor.idx === "number" && onChoose(plot.cursor.idx));
  };

  const sight = new IntersectionObserver((entries) => {
    isInSight = entries.at(-1).isIntersecting;
    if (isInSight) later();
  }, { rootMargin: "100px" });
  sight.observe(element);
  const size = new ResizeObserver(() => plot && element.clientWidth && plot.setSize({ width: element.clientWidth, height: HEIGHT }));
  size.observe(element);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const turn = () => {
    colours = coloursOf(element);
    later();
  };
  dark.addEventListener("change", turn);

  return {
    show(plot, range) {
      shown = { plot, range };
      later();
    },
    end() {
      notInFrame(key);
      sight.disconnect();
      size.disconnect();
      dark.removeEventListener("change", turn);
      plot?.destroy();
    },
  };
}

function seriesOf(line, colours) {
  const ink = () => colours()[inks[line % inks.length]];
  return { stroke: ink, width: 2, dash: DASHES[line % DASHES.length], spanGaps: true, points: { size: 7, stroke: ink, fill: ink } };
}

/** The reference range behind the lines; a limit that is not given is the edge of the plot. */
function drawBand({ ctx, bbox, valToPos }, range, colour) {
  if (!range) return;
  const top = range.high === undefined ? bbox.top : valToPos(range.high, "y", true);
  const bottom = range.low === undefined ? bbox.top + bbox.height : valToPos(range.low, "y", true);
  ctx.save();
  ctx.fillStyle = colour;
  ctx.fillRect(bbox.left, top, bbox.width, bottom - top);
  ctx.restore();
}

/** The colours of the style sheet as they are now, light or dark: a canvas cannot read the variables. */
function coloursOf(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = Object.fromEntries([...inks, "muted", "line"].map((name) => [name, read(name)]));
  colours.band = read("good-ground");
  probe.remove();
  return colours;
}
