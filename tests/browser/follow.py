"""A page in a real browser follows the log, over Server-Sent Events and over a WebSocket, while the server is killed and
started again: it gets every position once, in order, both ways. Python's standard library is enough.

    python3 follow.py target/release/chartlog [chromium]
"""

import http.client
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading

from shared import PATIENCE_SECONDS, Server, opened, serve_page

PAGE = pathlib.Path(__file__).with_name("page.html")
KILLS = 3
WRITERS = 2
# Events between two kills that both ways have to have told of before the server is killed.
EVENTS_EACH = 60


class Seen:
    """What the page has reported: positions in the order in which they came, and connections."""

    def __init__(self):
        self.changed = threading.Condition()
        self.positions = {"stream": [], "socket": []}
        self.connections = {"stream": 0, "socket": 0}
        self.written = None

    def take(self, way, what):
        with self.changed:
            if way == "written":
                self.written = what
            else:
                self.connections[way] += what.get("opened", 0)
                self.positions[way] += what.get("positions", [])
            self.changed.notify_all()

    def wait(self, condition, what):
        with self.changed:
            if not self.changed.wait_for(condition, PATIENCE_SECONDS):
                counts = {way: len(seen) for way, seen in self.positions.items()}
                sys.exit(f"{what} does not come: {counts} positions, {self.connections} connections")


def write(server, token, writer, stopping):
    """Writes until it is told to stop; whether the server is there or not."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
    number = 0
    while not stopping.is_set():
        number += 1
        value = {
            "resourceType": "Observation",
            "id": f"w{writer}-{number}",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        }
        connection = http.client.HTTPConnection(server.listen, timeout=PATIENCE_SECONDS)
        try:
            connection.request("PUT", f"/fhir/Observation/{value['id']}", json.dumps(value), headers)
            connection.getresponse().read()
        except OSError:
            # Nobody is there, or has gone away: whether it was written, the log knows.
            stopping.wait(0.01)
        except http.client.HTTPException:
            pass
        finally:
            connection.close()


def main(program, chromium):
    seen = Seen()
    settings = {}
    site = serve_page(PAGE, seen.take, settings)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        server = Server(program, os.path.join(scratch, "data"), site)
        token = server.token("user/*.cruds")
        settings.update(base=server.base, token=token)
        browser = opened(chromium, scratch, site)
        stopping = threading.Event()
        writers = [
            threading.Thread(target=write, args=(server, token, writer, stopping))
            for writer in range(WRITERS)
        ]
        try:
            seen.wait(lambda: seen.written, "what the page has written")
            expected = {"status": 201, "etag": 'W/"1"', "conditional": 412}
            told = {name: seen.written[name] for name in expected}
            assert told == expected and seen.written["position"], seen.written
            for writer in writers:
                writer.start()
            for kill in range(1, KILLS + 1):
                enough = {way: len(positions) + EVENTS_EACH for way, positions in seen.positions.items()}
                reached = lambda: all(len(seen.positions[way]) >= enough[way] for way in enough)
                seen.wait(reached, f"what was written before kill {kill}")
                server.kill()
                server.start()
            enough = {way: len(positions) + EVENTS_EACH for way, positions in seen.positions.items()}
            seen.wait(reached, "what was written after the last kill")
            stopping.set()
            for writer in writers:
                writer.join()
            head = server.events()
            seen.wait(
                lambda: all(positions and positions[-1] >= head - 1 for positions in seen.positions.values()),
                "the end of the log",
            )
            for way, positions in seen.positions.items():
                assert positions == list(range(head)), f"{way}: {differences(positions, head)}"
                assert seen.connections[way] > KILLS, f"{way}: {seen.connections}"
            print(f"{head} events, {KILLS} kills, connections: {seen.connections}: each once, in order")
        finally:
            stopping.set()
            browser.kill()
            browser.wait()
            server.kill()


def differences(positions, head):
    """What is wrong about a list that should be 0, 1, … head - 1."""
    expected = set(range(head))
    return {
        "missing": sorted(expected - set(positions))[:10],
        "unexpected": sorted(set(positions) - expected)[:10],
        "repeated": len(positions) - len(set(positions)),
        "out of order": [pair for pair in zip(positions, positions[1:]) if pair[1] <= pair[0]][:10],
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else shutil.which("chromium"))
