// The view that is shown, as the part of the address behind #: it never leaves the browser, so no server log names a patient.

import { useEffect, useState } from "./html.js";
import { queryOf } from "./query.js";

/** `{ path, query }` of an address such as `#/charts/p0002?tab=events`: the parts of the path, and URLSearchParams. */
export function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { path: path.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(query) };
}

/** The address of a view; members of `query` that are undefined, null or empty are left out. */
export function href(path, query = {}) {
  const all = queryOf(query);
  const place = path.map((part) => encodeURIComponent(part)).join("/");
  return `#/${place}${all.size ? `?${all}` : ""}`;
}

/** Goes to a view; `replace`: without a step for the browser's Back. */
export function go(path, query, { replace = false } = {}) {
  const address = href(path, query);
  if (replace) {
    history.replaceState(null, "", address);
    dispatchEvent(new HashChangeEvent("hashchange"));
  } else {
    location.hash = address;
  }
}

/** The view that is shown now, followed. */
export function useRoute() {
  const [route, setRoute] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
