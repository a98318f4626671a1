// A chart: who the patient is, and the chart as a summary, a timeline, plots or changes, now or as it was at any moment.

import { html } from "../lib/html.js";
import { href } from "../lib/route.js";
import { may } from "../lib/session.js";
import { Failure, Loaded, Loading, Tabs, useLoad } from "../lib/ui.js";
import { Heading } from "./chart/heading.js";
import { useHistory } from "./chart/load.js";
import { MomentSlider, useVersion } from "./chart/moment.js";
import { Summary } from "./chart/summary.js";
import { Timeline } from "./chart/timeline.js";
import { Plots } from "./chart/plots.js";
import { Changes } from "./chart/changes.js";

/** By the last part of the address: the tabs. Those with `load` need no history; those with `isAtMoment` have the slider. */
const TABS = {
  summary: { title: "Summary", Shown: Summary, isAtMoment: true },
  timeline: { title: "Timeline", Shown: Timeline, isAtMoment: true },
  plots: { title: "Plots", Shown: Plots, isAtMoment: true },
  changes: { title: "Changes", Shown: Changes },
  looks: { title: "Who looked", load: async () => (await import("./looks.js")).ChartLooks },
  erasure: { title: "Erasure and hold", load: async () => (await import("./erasure.js")).Erasure },
};

export default function ChartPage({ route }) {
  const [, patient, tab = "summary"] = route.path;
  if (!patient) return html`<${Failure} error=${new Error("The address names no patient.")} />`;
  return html`<${Chart} key=${patient} patient=${patient} tab=${tab} route=${route} />`;
}

function Chart({ patient, tab, route }) {
  // Holds are made and ended in that tab, and stand in the heading.
  const { history, partial, loaded, error } = useHistory(patient, tab === "erasure");
  const [version, move] = useVersion(route, history);
  const shown = TABS[tab];
  const isPast = history && version < history.last;
  const at = (id) => {
    const name = id === "changes" ? "to" : TABS[id].load ? undefined : "version";
    return href(["charts", patient, ...(id === "summary" ? [] : [id])], name && isPast ? { [name]: version } : {});
  };
  const mayEnd = may("c", "ChartErasure") || may("c", "ChartHold");
  const tabs = Object.keys(TABS).filter((id) => id !== "erasure" || mayEnd).map((id) => ({ id, title: TABS[id].title }));
  return html`
    <${Heading} patient=${patient} history=${history} partial=${partial} version=${version} />
    <${Tabs} label="Chart" tabs=${tabs} shown=${tab} at=${at} />
    ${!shown ? html`<${Failure} error=${new Error("A chart has no such part.")} />`
      : shown.load ? html`<${Elsewhere} key=${tab} load=${shown.load} patient=${patient} />`
      : error ? html`<${Failure} error=${error} />`
      : !history ? html`<${Loading} what=${loaded ? `Loading: ${loaded} events so far` : "Loading"} />`
      : html`${shown.isAtMoment && html`<${MomentSlider} history=${history} version=${version} onMove=${move} />`}
        <${shown.Shown} key=${tab} history=${history} version=${version} onMove=${move} route=${route} patient=${patient} />`}`;
}

/** A part of the page that another module makes, loaded when it is first shown. */
function Elsewhere({ load, patient }) {
  const part = useLoad(load, [load]);
  return html`<${Loaded} load=${part}>${(Shown) => html`<${Shown} patient=${patient} />`}<//>`;
}
