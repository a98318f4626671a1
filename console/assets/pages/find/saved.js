// Searches that a person saved: in this browser alone, as they are asked for there and nobody else's.

const KEY = "chartlog.searches";
const MOST = 50;

export function saved() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** Keeps a search; gives all of them, the newest first. */
export function remember(query) {
  return keep([query, ...saved().filter((known) => known !== query)].slice(0, MOST));
}

/** Drops a search; gives the others. */
export function forget(query) {
  return keep(saved().filter((known) => known !== query));
}

function keep(searches) {
  localStorage.setItem(KEY, JSON.stringify(searches));
  return searches;
}
