"""A small hub for tests: the part of the protocol that the client speaks, over real HTTP, from folders."""

import hashlib
import json
import threading
from contextlib import contextmanager
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """What is served, how it misbehaves, and what was asked.

    Attributes:
        repositories: folder by repository name.
        refuse: status (and the client's error code) for every file, or None.
        names_only: do not tell sizes and blobs in the listing, as some mirrors.
        break_after: end the connection of every answer after so many bytes of a file.
        breaks: how many answers do that.
        hold: a lock of the test; while it is held, files stop after ``break_after`` bytes without ending.
        ranges: whether ``Range`` is honoured.
        asked: "GET /path" of every request, with the first byte for a range.
        tokens: the ``Authorization`` headers seen.
        address, close: where it is served, and how it goes away.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Path] = {}
        self.refuse: tuple[int, str] | None = None
        self.names_only, self.ranges = False, True
        self.break_after, self.breaks = 0, 0
        self.hold = threading.Lock()
        self.asked: list[str] = []
        self.tokens: set[str] = set()

    def names(self, repository):
        root = self.repositories[repository]
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@lru_cache
def blob(path):
    """Return the ETag: large files by their SHA-256, small ones by git's SHA-1, as on the hub."""
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def serving(hub):
    """Serve the hub on a free port; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            hub.asked.append(f"{self.command} {path}" + (f" from {start}" if start else ""))
            hub.tokens.add(self.headers.get("Authorization", ""))
            if path.startswith("/api/models/"):
                return self.listing("/".join(path.split("/")[3:5]))
            repository, _, rest = path[1:].partition("/resolve/")
            revision, _, name = rest.partition("/")
            file = hub.repositories.get(repository, Path("none")) / name
            if hub.refuse:
                return self.answer(hub.refuse[0], b"", {"X-Error-Code": hub.refuse[1]})
            if revision not in (COMMIT, "main") or not file.is_file():
                return self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            return self.file(file, start)

        def listing(self, repository):
            if repository not in hub.repositories:
                return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
            siblings = []
            for name in hub.names(repository):
                path = hub.repositories[repository] / name
                size, lfs = path.stat().st_size, path.suffix == ".safetensors"
                entry = {"rfilename": name}
                if not hub.names_only:
                    entry |= {"size": size, "blobId": "0" * 40 if lfs else blob(path)}
                    if lfs:
                        entry["lfs"] = {"size": size, "sha256": blob(path), "pointerSize": 134}
                siblings.append(entry)
            body = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings}
            return self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

        def file(self, path, start):
            content = path.read_bytes()
            headers = {"ETag": f'"{blob(path)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            if path.suffix == ".safetensors":
                headers |= {"X-Linked-Etag": f'"{blob(path)}"', "X-Linked-Size": str(len(content))}
            if start and hub.ranges:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
                return self.answer(206, content[start:], headers)
            return self.answer(200, content, headers)

        def answer(self, status, body, headers):
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            cut = hub.break_after if status in (200, 206) and "ETag" in headers else 0
            if cut and len(body) > cut and (hub.breaks or hub.hold.locked()):
                self.wfile.write(body[:cut])
                self.wfile.flush()
                if hub.hold.locked():
                    with hub.hold:
                        pass
                else:
                    hub.breaks -= 1
                self.close_connection = True
                return
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass  # a client that stops in the middle

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    hub.close = lambda: (server.shutdown(), server.server_close())
    try:
        yield hub.address
    finally:
        hub.close()
