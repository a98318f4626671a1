"""The bed board over Server-Sent Events, as examples/bed_board keeps it in Rust. Python's standard library is enough.

    TOKEN=… python3 bed_board.py http://127.0.0.1:8080 board.json                        follows, and prints each change
    TOKEN=… python3 bed_board.py http://127.0.0.1:8080 board.json 2026-03-01T10:05:00Z   that minute, up to the end of the log

board.json keeps the view together with its position, in one file that is replaced as a whole: however this program ends, the
next run goes on where the view is, and each event counts once.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime

# The server is never silent for longer (limits.follower_heartbeat_seconds is 15).
SILENCE_SECONDS_MAX = 60
WAIT_SECONDS_MAX = 30
THERE = {"arrived", "triaged", "in-progress", "onleave", "finished"}


def instant(text):
    """A moment with a time of day and a zone; anything else is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.timestamp()


def stays(encounter, patient):
    """Place, beginning and end (None: still) of each stay that an Encounter in a patient's chart tells of."""
    is_of = encounter.get("subject", {}).get("reference") == f"Patient/{patient}"
    if encounter["status"] not in THERE or not is_of:
        return []
    found = []
    for entry in encounter.get("location", []):
        place = entry["location"].get("reference")
        period = entry.get("period", encounter.get("period", {}))
        if place is None or entry.get("status") in ("planned", "reserved") or "start" not in period:
            continue
        try:
            end = instant(period["end"]) if "end" in period else None
            found.append([place, patient, instant(period["start"]), end])
        except ValueError:
            continue
    return found


class BedBoard:
    """A view in a file. `charts` has the stays of each Encounter by chart, so that an erased chart can be forgotten."""

    def __init__(self, path):
        self.path = path
        self.position, self.charts = -1, {}
        if os.path.exists(path):
            with open(path) as file:
                content = json.load(file)
            self.position, self.charts = content["position"], content["charts"]

    def take(self, event):
        if event["type"] == "chart.erased":
            self.charts.pop(event["chart"], None)
        elif "chart" in event and "resource" in event:
            chart = self.charts.setdefault(event["chart"], {})
            # Without a body the chart does not hold it any more.
            now = stays(event["body"], event["patient"]) if "body" in event else []
            chart[event["resource"]] = now
            if not now:
                del chart[event["resource"]]

    def save(self, position):
        self.position = position
        with open(self.path + ".new", "w") as file:
            json.dump({"position": self.position, "charts": self.charts}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.path + ".new", self.path)

    def at(self, moment):
        """Each place with who is there, as JSON."""
        board = {}
        for chart in self.charts.values():
            for known in chart.values():
                for place, patient, start, end in known:
                    if start <= moment and (end is None or moment < end):
                        board.setdefault(place, set()).add(patient)
        board = {place: sorted(patients) for place, patients in board.items()}
        return json.dumps(board, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def events(answer):
    """Position and data of each event, as the HTML standard says in section 9.2.6. An id alone has no data: it says that there
    is nothing up to there. Without an id: the answer goes on."""
    position, data = None, None
    for line in answer:
        field, _, value = line.decode().rstrip("\n").partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            position = int(value)
        elif field == "data":
            data = json.loads(value)
        elif field == "" and value == "" and position is not None:
            yield position, data
            position, data = None, None


def follow(server, board, is_live):
    """One answer, until it ends."""
    query = {"type": "Encounter", "include": "resource", "live": "true" if is_live else "false"}
    request = urllib.request.Request(f"{server}/v1/events?{urllib.parse.urlencode(query)}")
    request.add_header("Accept", "text/event-stream")
    request.add_header("Authorization", f"Bearer {os.environ['TOKEN']}")
    if board.position >= 0:
        request.add_header("Last-Event-ID", str(board.position))
    with urllib.request.urlopen(request, timeout=SILENCE_SECONDS_MAX) as answer:
        commit = []
        for position, event in events(answer):
            if event is not None:
                commit.append(event)
                if not event["endsCommit"]:
                    continue
            for each in commit:
                board.take(each)
            board.save(position)
            if is_live and commit:
                print(board.at(time.time()), flush=True)
            commit = []


def main():
    if len(sys.argv) < 3:
        sys.exit(f"usage: TOKEN=… {sys.argv[0]} SERVER FILE [INSTANT…]")
    server, path, moments = sys.argv[1], sys.argv[2], sys.argv[3:]
    board = BedBoard(path)
    if moments:
        follow(server, board, is_live=False)
        for moment in moments:
            print(board.at(instant(moment)))
        return
    wait = 1
    while True:
        before = board.position
        try:
            follow(server, board, is_live=True)
        except urllib.error.HTTPError as error:
            if error.code not in (408, 429) and error.code < 500:
                sys.exit(f"the server refuses it: {error.code} {error.read().decode()}")
        except OSError as error:
            print(f"it is tried again: {error}", file=sys.stderr)
        # What is in memory may be ahead of the file.
        board = BedBoard(path)
        wait = 1 if board.position > before else min(2 * wait, WAIT_SECONDS_MAX)
        time.sleep(wait)


main()
