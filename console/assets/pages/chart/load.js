// Loads the history of a chart, page by page.

import { useEffect, useState } from "../../lib/html.js";
import { pages } from "../../lib/api.js";
import { watch } from "../../lib/session.js";
import { History } from "./history.js";

/** So few that reading a page does not hold up the browser, so many that few requests are needed. */
const PAGE = 500;

/** `{ patient, history }` of the chart that was shown last: who comes back to it loads only what was recorded since. */
let kept = null;
watch(() => {
  kept = null;
});

/**
 * `{ history, partial, loaded, error }` of a patient's chart: its history when it is whole; until then what there is of it,
 * and how many events that are. What was recorded since is loaded when `round` changes.
 */
export function useHistory(patient, round) {
  const [state, setState] = useState({ loaded: 0 });
  useEffect(() => {
    const control = new AbortController();
    const tell = (state) => control.signal.aborted || setState(state);
    load(patient, (partial) => tell({ partial, loaded: partial.events.length }), control.signal).then(
      (history) => tell({ history, loaded: history.events.length }),
      (error) => {
        if (control.signal.aborted) return;
        kept = null;
        setState({ loaded: 0, error });
      },
    );
    return () => control.abort();
  }, [patient, round]);
  return state;
}

async function load(patient, tell, signal) {
  const before = kept?.patient === patient ? kept.history : null;
  let history = before ?? new History();
  const place = `v1/patients/${encodeURIComponent(patient)}/events`;
  const query = { count: PAGE, since: before?.events.at(-1)?.at };
  for await (const { events } of pages(place, query, { signal })) {
    if (before) history = history.extendedBy(events);
    else {
      history.append(events);
      tell(history);
    }
  }
  kept = { patient, history };
  return history;
}
