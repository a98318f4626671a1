"""What tests with a real browser share: a page and where it reports to, the server, and the browser."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.request

# Only what hangs runs into it.
PATIENCE_SECONDS = 120


def serve_page(page, take, settings):
    """The page, what it has to know, and where it reports to."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answers = {"/": page.read_bytes, "/settings": json.dumps(settings).encode}
            self.answer(answers.get(self.path, bytes)())

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            take(self.path.strip("/"), json.loads(body))
            self.answer(b"")

        def answer(self, body):
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Server:
    """The server, always at one address and on one directory; pages of the site may ask it, if there is one."""

    def __init__(self, program, data, site=None):
        self.program, self.data, self.site = program, data, site
        self.listen = "127.0.0.1:0"
        self.start()
        self.listen = self.base.removeprefix("http://")

    def start(self):
        arguments = ["serve", "--listen", self.listen, "--data", self.data]
        if self.site:
            arguments += ["--set", f"server.cors_origins={self.site}"]
        # Its log would tell of the requests that a kill breaks off.
        self.process = subprocess.Popen(
            [self.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for line in self.process.stdout:
            if line.startswith("listening on "):
                self.base = line.split()[-1]
                return
        sys.exit("the server does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def token(self, scope):
        arguments = ["token", "--data", self.data, "--sub", "dr-weiss", "--scope", scope]
        return subprocess.run(
            [self.program, *arguments], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    def events(self):
        with urllib.request.urlopen(f"{self.base}/metrics") as metrics:
            return int(re.search(r"^chartlog_applied_position (\d+)", metrics.read().decode(), re.M)[1])


def opened(chromium, scratch, address):
    """A browser that shows the page at an address."""
    return subprocess.Popen(
        [
            chromium,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={os.path.join(scratch, 'profile')}",
            f"{address}/",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
