"""A page in a real browser that comes from another port uses the API if its site is named in `server.cors_origins`: writes
under a condition, and reads the headers and errors that an app needs. If another site is named, or none, the browser lets
it do nothing, and nothing arrives. Python's standard library is enough.

    python3 across.py target/release/chartlog [chromium]
"""

import os
import pathlib
import queue
import shutil
import sys
import tempfile

from shared import PATIENCE_SECONDS, Server, opened, serve_page

PAGE = pathlib.Path(__file__).with_name("across.html")
OUTCOME = "OperationOutcome"
# Status, ETag, where the resource is, and what the body is, of each request.
ALLOWED = {
    "created": (201, 'W/"1"', "/fhir/Patient/across/_history/1", ""),
    "named": (201, 'W/"1"', "/fhir/Patient/", ""),
    "changed": (200, 'W/"2"', None, ""),
    "late": (412, None, None, OUTCOME),
    "read": (200, 'W/"2"', None, "Patient"),
    "refused": (401, None, None, OUTCOME),
    "removed": (204, 'W/"3"', None, ""),
}


def told(chromium, scratch, site, reports):
    """What the page reports."""
    browser = opened(chromium, scratch, site)
    try:
        return reports.get(timeout=PATIENCE_SECONDS)
    except queue.Empty:
        sys.exit("the page reports nothing")
    finally:
        browser.kill()
        browser.wait()


def check_allowed(told, base):
    assert told.keys() == ALLOWED.keys(), told
    for name, (status, etag, location, kind) in ALLOWED.items():
        answer = told[name]
        assert isinstance(answer, dict), f"{name}: {answer}"
        assert (answer["status"], answer["etag"], answer["type"]) == (status, etag, kind), f"{name}: {answer}"
        if location:
            assert answer["location"].startswith(base + location), f"{name}: {answer}"


def main(program, chromium):
    for what in ["its site", "another site", "no site"]:
        settings, reports = {}, queue.Queue()
        site = serve_page(PAGE, lambda _, what: reports.put(what), settings)
        named = {"its site": site, "another site": "http://127.0.0.1:1", "no site": None}[what]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            server = Server(program, os.path.join(scratch, "data"), named)
            try:
                settings.update(base=server.base, token=server.token("user/*.cruds"))
                answers = told(chromium, scratch, site, reports)
                if what == "its site":
                    check_allowed(answers, server.base)
                    assert server.events() > 0
                else:
                    assert answers == dict.fromkeys(ALLOWED, "TypeError"), answers
                    assert server.events() == 0, "the browser has sent what it may not"
            finally:
                server.kill()
        print(f"{what} is named: {'all' if what == 'its site' else 'nothing'} of {len(ALLOWED)} requests")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else shutil.which("chromium"))
