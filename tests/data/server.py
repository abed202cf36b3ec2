"""A web server on the loopback interface, for the real download path without a network."""

import contextlib
import functools
import http.server
import threading
import time
from pathlib import Path

__all__ = ["serve"]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files as they are; ``/short/NAME`` breaks off half way, ``/slow/NAME`` takes its time.

    ``/stall/NAME`` stops half way and keeps the connection open until the server ends.
    """

    def do_GET(self):
        mode, _, name = self.path.lstrip("/").partition("/")
        self.server.requests.append(self.path)
        if mode not in ("short", "slow", "stall"):
            return super().do_GET()
        content = (Path(self.directory) / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        if mode == "slow":
            time.sleep(0.5)
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content[len(content) // 2 :])
        elif mode == "stall":
            self.server.ending.wait(timeout=120)
        self.close_connection = True

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serve(folder):
    """Base URL of a server of ``folder``, and the list of the paths that were asked for."""
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.requests, server.ending = [], threading.Event()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.requests
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()
