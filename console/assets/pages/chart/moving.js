// What a slider moves, and the address that follows it.

import { useEffect, useRef, useState } from "../../lib/html.js";
import { parse } from "../../lib/route.js";
import { amend } from "../../lib/ui.js";

/** How long a slider rests before the address follows: browsers refuse many changes of it in a short time. */
const REST = 200;

/**
 * `[shown, move]`: what the address names, or what a slider says that is ahead of it. `move(parameters, shown)` shows at
 * once, and writes the parameters into the address when the slider rests, without a step for the browser's Back.
 */
export function useMoving(route, named) {
  const [ahead, setAhead] = useState(null);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const move = (parameters, shown) => {
    setAhead(shown);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setAhead(null);
      const now = parse(location.hash);
      if (now.path.join("/") === route.path.join("/")) amend(now, parameters, { replace: true });
    }, REST);
  };
  return [ahead ?? named, move];
}
