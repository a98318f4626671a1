// The parts of a Bundle.

/** The address of the next page, if there is one. */
export function nextOf(bundle) {
  return bundle.link?.find((link) => link.relation === "next")?.url;
}

/** The address of the page before, if there is one. */
export function previousOf(bundle) {
  return bundle.link?.find((link) => link.relation === "previous")?.url;
}

/** The resources of a Bundle, of one type alone if it is given. */
export function resourcesOf(bundle, type) {
  const all = (bundle.entry ?? []).map((entry) => entry.resource).filter(Boolean);
  return type ? all.filter((one) => one.resourceType === type) : all;
}
