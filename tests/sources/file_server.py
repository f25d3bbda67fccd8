"""A file server with the habits of real ones, run as a process of its own: `/<habit>/<file>`."""

import base64
import gzip
import hashlib
import json
import sys
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

LOGIN = b"\n<!DOCTYPE html><html><body><form action=/login></form></body></html>"
BASIC = "Basic " + base64.b64encode(b"reader:geheim").decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = Path()
    log: ClassVar[list[dict[str, Any]]] = []
    content = b""
    name = ""
    seen = 0

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        habit, _, name = self.path.partition("?")[0].strip("/").partition("/")
        if habit == "_log":
            return self.send(200, json.dumps(self.log).encode())
        seen = sum(1 for entry in self.log if entry["path"] == self.path and entry["method"] == self.command)
        self.log.append({"path": self.path, "method": self.command, **{k.lower(): v for k, v in self.headers.items()}})
        file = self.folder / name
        content = file.read_bytes() if file.is_file() else None
        if habit == "status":
            return self.send(int(name.partition("/")[0]), b"{}")
        if content is None:
            return self.send(404, b"")
        self.content, self.name, self.seen = content, name, seen
        getattr(self, habit)()
        return None

    def send(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
        if length is not None and length != len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def plain(self) -> None:
        self.send(200, self.content)

    def etag(self, tag: str = "") -> None:
        tag = tag or f'"{hashlib.sha256(self.content).hexdigest()[:12]}"'
        if self.headers.get("If-None-Match") == tag:
            return self.send(304, b"")
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range") == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            rest = self.content[start:]
            return self.send(
                206, rest, ETag=tag, Content_Range=f"bytes {start}-{len(self.content) - 1}/{len(self.content)}"
            )
        return self.send(200, self.content, ETag=tag, Accept_Ranges="bytes")

    def weak(self) -> None:
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:12]}"'
        self.etag(tag if self.seen % 2 else f"W/{tag}")

    def nohead(self) -> None:
        if self.command == "HEAD":
            return self.send(405, b"")
        return self.etag()

    def dated(self) -> None:
        moment = formatdate((self.folder / self.name).stat().st_mtime, usegmt=True)
        if self.headers.get("If-Modified-Since") == moment:
            return self.send(304, b"")
        return self.send(200, self.content, Last_Modified=moment)

    def short(self) -> None:
        self.send(200, self.content[:-3], len(self.content))

    def breaks(self) -> None:
        if self.seen:
            return self.etag()
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:12]}"'
        return self.send(200, self.content[: len(self.content) // 2], len(self.content), ETag=tag)

    def sips(self) -> None:
        """Breaks off, and then gives a quarter of the file at a time, as servers may."""
        if not self.seen:
            return self.breaks()
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:12]}"'
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        piece = self.content[start : start + len(self.content) // 4]
        place = f"bytes {start}-{start + len(piece) - 1}/{len(self.content)}"
        return self.send(206, piece, ETag=tag, Content_Range=place)

    def elsewhere(self) -> None:
        """Breaks off, and goes on at another place than it was asked for."""
        if not self.seen:
            return self.breaks()
        if "Range" not in self.headers:
            return self.plain()
        place = f"bytes 9-{len(self.content) - 1}/{len(self.content)}"
        return self.send(206, self.content[9:], Content_Range=place)

    def forgets(self) -> None:
        if self.seen:
            return self.send(200, self.content)
        return self.send(200, self.content[: len(self.content) // 2], len(self.content))

    def busy(self) -> None:
        if self.seen < 2:
            return self.send(503, b"", Retry_After="0")
        return self.send(200, self.content)

    def packed(self) -> None:
        self.send(200, gzip.compress(self.content), Content_Encoding="gzip", Content_Type="application/octet-stream")

    def members(self) -> None:
        middle = len(self.content) // 2
        packed = b"".join(gzip.compress(part) for part in (self.content[:middle], self.content[middle:]))
        self.send(200, packed, Content_Encoding="gzip")

    def halfpacked(self) -> None:
        self.send(200, gzip.compress(self.content)[:-9], Content_Encoding="gzip")

    def brotli(self) -> None:
        self.send(200, self.content, Content_Encoding="br")

    def pieces(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for place in range(0, len(self.content), 977):
            piece = self.content[place : place + 977]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def moves(self) -> None:
        """The file is another one as soon as it was read."""
        path = f"/moves/{self.name}"
        reads = sum(1 for entry in self.log[:-1] if entry["path"] == path and entry["method"] == "GET")
        self.send(200, self.content.replace(b"{reads}", b"%d" % reads), ETag=f'"change {reads}"')

    def opens(self) -> None:
        """Refused until it was asked for twice."""
        asked = sum(1 for entry in self.log[:-1] if entry["path"] == self.path)
        self.send(403 if asked < 2 else 200, self.content)

    def login(self) -> None:
        self.send(302, b"", Location="/page/" + self.name)

    def page(self) -> None:
        self.send(200, LOGIN, Content_Type="text/csv")

    def locked(self) -> None:
        known = self.headers.get("Authorization") in (BASIC, "Bearer geheim-token")
        self.send(200 if known else 401, self.content if known else b"")

    def away(self) -> None:
        port = int(self.headers["Host"].rpartition(":")[2])
        self.send(302, b"", Location=f"http://localhost:{port}/plain/{self.name}")

    def loop(self) -> None:
        self.send(301, b"", Location=self.path)

    def named(self) -> None:
        self.send(
            200, self.content, Content_Disposition='attachment; filename="../../rows.jsonl"', Content_Type="text/html"
        )

    def trickles(self) -> None:
        self.send(200, b"", len(self.content))
        for place in range(len(self.content)):
            time.sleep(0.002)
            self.wfile.write(self.content[place : place + 1])

    def slow(self) -> None:
        time.sleep(0.2)
        self.send(200, self.content)


def main() -> None:
    Handler.folder = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
