"""Receives the notifications of a FHIR Subscription, and misses none. Python's standard library is enough.

    TOKEN=… SECRET=… python3 fhir_subscriber.py http://127.0.0.1:8080/fhir/Subscription/s 9000 events.json

The Subscription sends to port 9000 of this machine, with the header `Authorization: Bearer SECRET`. events.json keeps the
number of the last event together with what came, in one file that is replaced as a whole before an answer is given. What comes
twice counts once; if a number is missing, it and those behind it are asked for with $events. TOKEN may read the Subscription and what it tells of.
"""

import hmac
import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer


class Events:
    """What came, in a file: number and focus of each event."""

    def __init__(self, path):
        self.path, self.told = path, []
        if os.path.exists(path):
            with open(path) as file:
                self.told = json.load(file)

    def last(self):
        return self.told[-1][0] if self.told else 0

    def add(self, events):
        """Adds those that are next; the others were there before."""
        for number, focus in events:
            if number == self.last() + 1:
                self.told.append([number, focus])
        with open(self.path + ".new", "w") as file:
            json.dump(self.told, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.path + ".new", self.path)


def events_of(bundle):
    """Number and focus of each event of a notification."""
    found = []
    for parameter in bundle["entry"][0]["resource"]["parameter"]:
        if parameter["name"] == "notification-event":
            parts = {part["name"]: part for part in parameter["part"]}
            focus = parts.get("focus", {}).get("valueReference", {}).get("reference")
            found.append((int(parts["event-number"]["valueString"]), focus))
    return found


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        sent = self.headers.get("authorization") or ""
        if not hmac.compare_digest(sent, f"Bearer {self.server.secret}"):
            return self.answer(403)
        events = events_of(json.loads(body))
        known = self.server.events
        if events and events[0][0] > known.last() + 1:
            known.add(self.missing(known.last() + 1, events[0][0] - 1))
        known.add(events)
        # A number that could not be had is no reason to lose those behind it: it comes again.
        is_taken = not events or known.last() >= events[-1][0]
        self.answer(200 if is_taken else 503)

    def missing(self, first, last):
        address = f"{self.server.subscription}/$events?eventsSinceNumber={first}&eventsUntilNumber={last}"
        asked = urllib.request.Request(address, headers={"authorization": f"Bearer {os.environ['TOKEN']}"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            found = events_of(json.load(answer))
        print(f"{len(found)} events from {first} on were asked for", flush=True)
        return found

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    subscription, port, path = sys.argv[1:]
    server = HTTPServer(("127.0.0.1", int(port)), Receiver)
    server.subscription, server.secret, server.events = subscription, os.environ["SECRET"], Events(path)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()


main()
