// Loads the history of a chart, page by page.

import { useEffect, useState } from "../../lib/html.js";
import { send } from "../../lib/api.js";
import { parseExact } from "../../lib/exact.js";
import { History } from "./history.js";

/** So few that reading a page does not hold up the browser, so many that few requests are needed. */
const PAGE = 500;

/** `{ history, loaded, error }` of a patient's chart: how many events are there so far, and the history when it is whole. */
export function useHistory(patient) {
  const [state, setState] = useState({ loaded: 0 });
  useEffect(() => {
    const control = new AbortController();
    const tell = (state) => control.signal.aborted || setState(state);
    tell({ loaded: 0 });
    load(patient, (loaded) => tell({ loaded }), control.signal).then(
      (history) => tell({ history, loaded: history.events.length }),
      (error) => tell({ loaded: 0, error }),
    );
    return () => control.abort();
  }, [patient]);
  return state;
}

async function load(patient, tell, signal) {
  const history = new History();
  let cursor;
  do {
    const query = new URLSearchParams({ count: PAGE, ...(cursor && { cursor }) });
    const response = await send("GET", `v1/patients/${encodeURIComponent(patient)}/events?${query}`, { signal });
    const page = parseExact(await response.text());
    history.append(page.events);
    tell(history.events.length);
    cursor = page.next;
  } while (cursor);
  return history;
}
