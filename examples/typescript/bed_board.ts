// The bed board over Server-Sent Events, as examples/bed_board keeps it in Rust. No packages: with Node 22.18 or later
//
//     TOKEN=… node bed_board.ts http://127.0.0.1:8080 board.json                        follows, and prints each change
//     TOKEN=… node bed_board.ts http://127.0.0.1:8080 board.json 2026-03-01T10:05:00Z   that minute, up to the end of the log
//
// and with an older one after `npm ci && npx tsc`. board.json keeps the view together with its position, in one file that is replaced
// as a whole: however this program ends, the next run goes on where the view is, and each event counts once.

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

/** The server is never silent for longer (limits.follower_heartbeat_seconds is 15). */
const SILENCE_MS_MAX = 60_000;
const WAIT_MS_MAX = 30_000;
const THERE = ["arrived", "triaged", "in-progress", "onleave", "finished"];

interface Period {
  start?: string;
  end?: string;
}

interface Encounter {
  status: string;
  subject?: { reference?: string };
  period?: Period;
  location?: { location: { reference?: string }; status?: string; period?: Period }[];
}

/** As docs/feed.md says. */
interface FeedEvent {
  type: string;
  chart?: string;
  patient?: string;
  resource?: string;
  endsCommit: boolean;
  body?: Encounter;
}

/** Times are in milliseconds since 1970; until null: still. */
interface Stay {
  place: string;
  patient: string;
  from: number;
  until: number | null;
}

/** A moment with a time of day and a zone; anything else is NaN. */
function instant(text: string): number {
  return /T.*(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
}

/** The stays that an Encounter in a patient's chart tells of. */
function stays(encounter: Encounter, patient: string): Stay[] {
  const isOf = encounter.subject?.reference === `Patient/${patient}`;
  if (!THERE.includes(encounter.status) || !isOf) return [];
  return (encounter.location ?? []).flatMap((entry) => {
    const place = entry.location.reference;
    const period = entry.period ?? encounter.period ?? {};
    const isPlan = entry.status === "planned" || entry.status === "reserved";
    if (place === undefined || isPlan || period.start === undefined) return [];
    const from = instant(period.start);
    const until = period.end === undefined ? null : instant(period.end);
    return Number.isNaN(from) || Number.isNaN(until) ? [] : [{ place, patient, from, until }];
  });
}

/** A view in a file. */
class BedBoard {
  path: string;
  position = -1;
  /** The stays of each Encounter by chart, so that an erased chart can be forgotten. */
  charts: Record<string, Record<string, Stay[]>> = {};

  constructor(path: string) {
    this.path = path;
    if (existsSync(path)) {
      const content = JSON.parse(readFileSync(path, "utf8"));
      [this.position, this.charts] = [content.position, content.charts];
    }
  }

  take(event: FeedEvent): void {
    if (event.chart === undefined) return;
    if (event.type === "chart.erased") {
      delete this.charts[event.chart];
    } else if (event.resource !== undefined) {
      const chart = (this.charts[event.chart] ??= {});
      // Without a body the chart does not hold it any more.
      const now = event.body && event.patient ? stays(event.body, event.patient) : [];
      if (now.length > 0) chart[event.resource] = now;
      else delete chart[event.resource];
    }
  }

  save(position: number): void {
    this.position = position;
    const file = openSync(`${this.path}.new`, "w");
    writeSync(file, JSON.stringify({ position, charts: this.charts }));
    fsyncSync(file);
    closeSync(file);
    renameSync(`${this.path}.new`, this.path);
  }

  /** Each place with who is there, as JSON. */
  at(moment: number): string {
    const board = new Map<string, Set<string>>();
    for (const { place, patient, from, until } of Object.values(this.charts).flatMap((chart) => Object.values(chart).flat())) {
      if (from > moment || (until !== null && moment >= until)) continue;
      board.set(place, (board.get(place) ?? new Set()).add(patient));
    }
    const sorted = [...board].sort(([a], [b]) => (a < b ? -1 : 1));
    return JSON.stringify(Object.fromEntries(sorted.map(([place, patients]) => [place, [...patients].sort()])));
  }
}

/** Position and data of each event, as the HTML standard says in section 9.2.6. An id alone has no data: it says that there is nothing up to
 * there. */
async function* events(lines: AsyncIterable<string>): AsyncGenerator<[number, FeedEvent | null]> {
  let [position, data]: [number | null, FeedEvent | null] = [null, null];
  for await (const line of lines) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") position = Number(value);
    else if (field === "data") data = JSON.parse(value);
    else if (line === "" && position !== null) {
      yield [position, data];
      [position, data] = [null, null];
    }
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>, onBytes: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    onBytes();
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** One answer, until it ends. */
async function follow(server: string, board: BedBoard, isLive: boolean): Promise<void> {
  const query = new URLSearchParams({ type: "Encounter", include: "resource", live: String(isLive) });
  const headers: Record<string, string> = { Accept: "text/event-stream", Authorization: `Bearer ${process.env.TOKEN}` };
  if (board.position >= 0) headers["Last-Event-ID"] = String(board.position);
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error("the server is silent")), SILENCE_MS_MAX);
  try {
    const answer = await fetch(`${server}/v1/events?${query}`, { headers, signal: silence.signal });
    if (answer.status !== 200 || answer.body === null) {
      const isForNow = [408, 429].includes(answer.status) || answer.status >= 500;
      const text = `the server answers ${answer.status}: ${await answer.text()}`;
      throw isForNow ? new Error(text) : new Refused(text);
    }
    let commit: FeedEvent[] = [];
    for await (const [position, event] of events(linesOf(answer.body, () => timer.refresh()))) {
      if (event !== null) {
        commit.push(event);
        if (!event.endsCommit) continue;
      }
      commit.forEach((each) => board.take(each));
      board.save(position);
      if (isLive && commit.length > 0) console.log(board.at(Date.now()));
      commit = [];
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Another try would not change it. */
class Refused extends Error {}

const [server, path, ...moments] = process.argv.slice(2);
if (server === undefined || path === undefined) throw new Error("usage: TOKEN=… bed_board SERVER FILE [INSTANT…]");
if (moments.length > 0) {
  const board = new BedBoard(path);
  await follow(server, board, false);
  for (const moment of moments) console.log(board.at(instant(moment)));
} else {
  for (let wait = 1_000; ; ) {
    // What was in memory may have been ahead of the file.
    const board = new BedBoard(path);
    const before = board.position;
    try {
      await follow(server, board, true);
    } catch (error) {
      if (error instanceof Refused) throw error;
      console.error(`it is tried again: ${error}`);
    }
    wait = board.position > before ? 1_000 : Math.min(2 * wait, WAIT_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
