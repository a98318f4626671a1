// Hold and erasure of one chart, for those with the right.

import { html, useState } from "../lib/html.js";
import { may } from "../lib/session.js";
import { Erase } from "./erasure/erase.js";
import { Hold } from "./erasure/hold.js";

/** For the page of the chart: what may be done about the chart as a whole. */
export function Erasure({ patient }) {
  const [isErased, setErased] = useState(false);
  const canHold = may("c", "ChartHold") || may("d", "ChartHold");
  const canErase = may("c", "ChartErasure");
  if (!canHold && !canErase) {
    return html`<p class="note">Holding a chart needs a token with the scope user/ChartHold.cd, erasing it
      user/ChartErasure.cr, by these names.</p>`;
  }
  return html`${canHold && !isErased && html`<${Hold} patient=${patient} />`}
    ${canErase && html`<${Erase} patient=${patient} onErased=${() => setErased(true)} />`}`;
}
