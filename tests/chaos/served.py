"""A corpus on a loopback server that misbehaves as it is told."""

import gzip
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVIOURS = (
    "stalls",
    "drips",
    "one byte",
    "resets",
    "too long",
    "too short",
    "web page",
    "compressed",
    "no ranges",
    "other bytes",
    "busy",
)
STALL = 33.0  # seconds; the workflow gives a connection up after 30
DIALOGUES = 400


def corpus() -> bytes:
    """A table of dialogues, too long for one packet."""
    rows = ["dialogue,turn,text"]
    for number in range(DIALOGUES):
        rows += [f"d{number},{turn},what do you say about number {number * 7 + turn} ?" for turn in range(6)]
    return ("\n".join(rows) + "\n").encode()


class CorpusServer:
    """Serves `corpus` at ``url``; ``misbehave(kind, times)`` spoils that many of the next answers."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/talk.csv"
        self.content = corpus()
        self.kind, self.left, self.spoilt = "", 0, 0

    def misbehave(self, kind: str, times: int) -> None:
        self.kind, self.left, self.spoilt = kind, times, 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if not self.left:
            return self.send(handler, self.content[start:], start)
        self.left -= 1
        self.spoilt += 1
        body = self.content[start:]
        half = body[: len(body) // 2]
        if self.kind == "busy":
            return handler.send_error(503)
        if self.kind == "web page":
            return self.send(handler, b"<html>please log in</html>", 0, kind="text/html")
        if self.kind == "other bytes":
            return self.send(handler, bytes(len(self.content)), 0)
        if self.kind == "compressed":
            return self.send(handler, gzip.compress(body), start, encoding="gzip")
        if self.kind == "one byte":
            return self.send(handler, body[:1], start, length=len(body))
        if self.kind == "too long":
            return self.send(handler, body, start, length=len(body) + 100)
        if self.kind == "no ranges":  # and ends early, so that the next request asks for one and is not heeded
            return self.send(handler, self.content[: len(self.content) // 2], 0, length=len(self.content))
        self.send(handler, half, start, length=len(body))
        if self.kind == "drips":
            self.drip(handler, body[len(half) :])
        elif self.kind == "stalls":
            time.sleep(STALL)
        elif self.kind == "resets":  # lingering for no time, the system sends a reset in place of an end
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()

    def drip(self, handler: BaseHTTPRequestHandler, rest: bytes) -> None:
        """Send a byte each second for as long as a stall, then end."""
        with suppress(OSError):
            for second in range(int(STALL)):
                handler.wfile.write(rest[second : second + 1])
                time.sleep(1)

    def send(
        self,
        handler: BaseHTTPRequestHandler,
        body: bytes,
        start: int,
        kind: str = "text/csv",
        length: int | None = None,
        encoding: str = "",
    ) -> None:
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        if encoding:
            handler.send_header("Content-Encoding", encoding)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        handler.close_connection = True


@contextmanager
def serving() -> Iterator[CorpusServer]:
    """A server on a free port of 127.0.0.1 for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        server = CorpusServer(httpd.server_port)
        threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        httpd.shutdown()
