"""Downloads from a loopback server that misbehaves on purpose."""

import errno
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline_lib.config.corpora import RemoteFile
from pipeline_lib.corpora import download
from pipeline_lib.corpora.download import fetch_bundle
from pipeline_lib.corpora.patience import Patience, watched
from pipeline_lib.errors import PipelineError

CONTENT = bytes(range(256)) * 400
OTHER = CONTENT[::-1]
DIGEST = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(timeout=0.3, attempts=3, pause=0.01)


LOCATIONS = {"ftp": "ftp://127.0.0.1:9/a.zip", "file": "file:///etc/hostname", "data": "data:,x", "itself": "a.zip"}
ODD_HEADERS = {  # header, its value, and in which reply
    "length-negative": ("Content-Length", "-5", "first"),
    "length-of-letters": ("Content-Length", "many", "first"),
    "length-absurd": ("Content-Length", "9" * 30, "first"),
    "range-unasked": ("Content-Range", f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}", "first"),
    "range-negative": ("Content-Range", "bytes 1000--5/9", "second"),
    "range-backwards": ("Content-Range", f"bytes 1000-999/{len(CONTENT)}", "second"),
    "range-beyond-its-total": ("Content-Range", "bytes 1000-102399/1001", "second"),
    "range-of-letters": ("Content-Range", "all of it", "second"),
    "range-missing": ("Content-Range", "", "second"),
    "gzip": ("Content-Encoding", "gzip", "first"),
    "brotli": ("Content-Encoding", "br", "first"),
    "identity": ("Content-Encoding", "identity", "first"),
}


class Handler(BaseHTTPRequestHandler):
    """The path says how the server behaves."""

    requests: ClassVar[list[tuple[str, str | None]]] = []

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        behaviour, wanted = self.path.split("/")[1], self.headers.get("Range")
        Handler.requests.append((behaviour, wanted))
        first_time = sum(name == behaviour for name, _ in Handler.requests) == 1
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and behaviour != "no-ranges" else 0
        if behaviour.startswith("replaced"):
            return self.replaced(behaviour, first_time, start)
        if behaviour == "missing":
            return self.send_error(404)
        if behaviour == "busy" and first_time:
            return self.send_error(503)
        if behaviour == "html":
            return self.answer(b"<html>please log in</html>", kind="text/html")
        if behaviour == "wrong":
            return self.answer(b"something else")
        if behaviour in ODD_HEADERS:
            return self.oddly(behaviour, start)
        if behaviour in ("drips", "drips-head"):
            return self.drip(in_head=behaviour == "drips-head")
        if behaviour == "one-byte":
            return self.answer(body=CONTENT[start : start + 1], length=len(CONTENT) - start, start=start)
        if behaviour.startswith("redirects-"):
            self.send_response(302)
            self.send_header("Location", LOCATIONS[behaviour.removeprefix("redirects-")])
            return self.end_headers()
        if behaviour == "no-range-satisfies" or start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            return self.end_headers()
        body = CONTENT[start:]
        if first_time and behaviour in ("stalls", "resets", "no-ranges"):
            return self.answer(body[:1000], length=len(body), start=start, stall=behaviour == "stalls")
        if behaviour == "lies":
            return self.answer(body, length=len(body) + 10, start=start)
        if behaviour == "short":
            return self.answer(CONTENT[:-10], length=len(CONTENT))
        return self.answer(body, start=start)

    def replaced(self, behaviour: str, first_time: bool, start: int) -> None:
        """The first reply is cut off; after it there is another file behind the address, unless it says "same"."""
        _, kind, *how = behaviour.split("-")
        content = CONTENT if first_time or "same" in how else OTHER
        version = "1" if content is CONTENT or "shorter" in how else "2"
        content = content[:-1] if "shorter" in how and not first_time else content
        name, validator = {
            "etag": ("ETag", f'"{version}"'),
            "weak": ("ETag", f'W/"{version}"'),
            "date": ("Last-Modified", f"Sat, 0{version} Nov 2025 00:00:00 GMT"),
            "none": ("X-None", ""),
        }[kind]
        if "honest" in how and self.headers.get("If-Range", validator) != validator:
            start = 0
        self.send_response(206 if start else 200)
        self.send_header(name, validator)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[:1000] if first_time else content[start:])
        self.close_connection = True

    def oddly(self, behaviour: str, start: int) -> None:
        """The first reply is cut off; a header of the first or of the second makes no sense."""
        name, value, when = ODD_HEADERS[behaviour]
        is_odd = (when == "first") == (start == 0)
        self.send_response(206 if start or (is_odd and name == "Content-Range") else 200)
        headers = {"Content-Length": str(len(CONTENT) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        for key, text in (headers | ({name: value} if is_odd else {})).items():
            self.send_header(key, text)
        self.end_headers()
        self.wfile.write(CONTENT[start:] if start or when == "first" else CONTENT[:1000])
        self.close_connection = True

    def drip(self, in_head: bool) -> None:
        """A byte now and then, each soon enough for the timeout of a socket."""
        if not in_head:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
        with suppress(OSError):  # until the client has enough
            for byte in b"HTTP/1.0 200 OK\r\nX: " + bytes(400) if in_head else CONTENT:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.02)

    def answer(self, body: bytes, kind: str = "application/zip", length: int = -1, start: int = 0, stall=False) -> None:
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if stall:
            time.sleep(0.6)
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[str]:
    Handler.requests.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def remote(*urls: str, sha256: str | None = DIGEST, name: str = "a.zip") -> RemoteFile:
    return RemoteFile(name=name, urls=list(urls), sha256=sha256)


def ranges() -> list[str | None]:
    return [wanted for _, wanted in Handler.requests]


@pytest.mark.parametrize("behaviour", ["stalls", "resets"])
def test_an_interrupted_body_is_resumed_where_it_ended(server: str, tmp_path: Path, behaviour: str) -> None:
    record = fetch_bundle([[remote(f"{server}/{behaviour}/a.zip")]], [], tmp_path, QUICK)
    assert record == [{"name": "a.zip", "sha256": DIGEST, "bytes": len(CONTENT)}]
    assert ranges() == [None, "bytes=1000-"]
    assert {path.name for path in tmp_path.iterdir()} == {"a.zip", ".a.zip.sha256"}


def test_a_server_that_ignores_ranges_starts_again_from_byte_zero(server: str, tmp_path: Path) -> None:
    fetch_bundle([[remote(f"{server}/no-ranges/a.zip")]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_part_left_by_an_earlier_run_is_completed(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:5000])
    fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert ranges() == ["bytes=5000-"]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_complete_part_is_only_renamed(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("stale", [b"x" * 5000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 1)])
def test_a_part_of_another_file_is_set_aside_and_fetched_anew(server: str, tmp_path: Path, stale: bytes) -> None:
    (tmp_path / "a.zip.part").write_bytes(stale)
    fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_without_a_checksum_a_part_from_an_earlier_run_is_not_trusted(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip.part").write_bytes(b"x" * 5000)
    fetch_bundle([[remote(f"{server}/good/a.zip", sha256=None)]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("behaviour", "content"),
    [
        ("replaced-etag-honest", OTHER),  # answers If-Range with the whole new file
        ("replaced-date-honest", OTHER),
        ("replaced-etag", OTHER),  # takes no notice of If-Range
        ("replaced-none", OTHER),  # says nothing of versions
        ("replaced-weak", OTHER),
        ("replaced-etag-shorter", OTHER[:-1]),  # only the length tells
    ],
)
def test_without_a_checksum_no_file_is_put_together_from_two_versions(
    server: str, tmp_path: Path, behaviour: str, content: bytes
) -> None:
    fetch_bundle([[remote(f"{server}/{behaviour}/a.zip", sha256=None)]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == content


@pytest.mark.parametrize("kind", ["etag", "date"])
def test_without_a_checksum_a_body_is_resumed_where_the_server_tells_that_the_file_is_the_same(
    server: str, tmp_path: Path, kind: str
) -> None:
    fetch_bundle([[remote(f"{server}/replaced-{kind}-honest-same/a.zip", sha256=None)]], [], tmp_path, QUICK)
    assert ranges() == [None, "bytes=1000-"]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("step", ["_store", "publish"])
def test_a_full_disk_is_named_as_such_whether_it_is_the_disk_or_a_quota(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(code, "full")

    monkeypatch.setattr(download, step, full)
    with pytest.raises(PipelineError, match="no space left") as caught:
        fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert caught.value.where == str(tmp_path / "a.zip")
    assert len(Handler.requests) == 1


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(server: str, tmp_path: Path) -> None:
    urls = [f"{server}/missing/a.zip", f"{server}/busy/a.zip"]
    fetch_bundle([[remote(*urls)]], [], tmp_path, QUICK)
    assert [behaviour for behaviour, _ in Handler.requests] == ["missing", "busy", "busy"]


def test_a_length_that_is_too_long_is_corrected_by_the_server_itself(server: str, tmp_path: Path) -> None:
    fetch_bundle([[remote(f"{server}/lies/a.zip")]], [], tmp_path, QUICK)
    assert ranges() == [None, f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_body_that_is_always_cut_short_is_given_up_with_the_counts(server: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        fetch_bundle([[remote(f"{server}/short/a.zip", sha256=None)]], [], tmp_path, QUICK)
    assert f"after {len(CONTENT) - 10:,} of {len(CONTENT):,} bytes (3 attempts in a row)" in str(caught.value)
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("sha256", [DIGEST, None])
def test_a_web_page_in_place_of_an_archive_is_refused(server: str, tmp_path: Path, sha256: str | None) -> None:
    with pytest.raises(PipelineError, match="could not be fetched") as caught:
        fetch_bundle([[remote(f"{server}/html/a.zip", sha256=sha256)]], [], tmp_path, QUICK)
    assert "web page" in caught.value.expected
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_is_kept_aside_and_both_checksums_are_named(server: str, tmp_path: Path) -> None:
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(PipelineError) as caught:
        fetch_bundle([[remote(f"{server}/wrong/a.zip")]], [], tmp_path, QUICK)
    assert found in str(caught.value)
    assert DIGEST in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [f"a.zip.wrong-{found[:8]}"]


def test_an_address_that_is_none_is_reported_and_the_next_one_tried(server: str, tmp_path: Path) -> None:
    fetch_bundle([[remote("a.zip", f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_nothing_to_be_had_lists_every_set_what_was_tried_and_the_remedy(server: str, tmp_path: Path) -> None:
    bundles = [[remote(f"{server}/missing/a.zip")], [remote(name="b.zip")]]
    with pytest.raises(PipelineError) as caught:
        fetch_bundle(bundles, [tmp_path / "mirror"], tmp_path / "raw", QUICK)
    message = str(caught.value)
    for part in (
        "set 1 of 2",
        "set 2 of 2",
        "HTTP status 404",
        "no URL is configured",
        "b.zip: no such file",
        "mirror:",
    ):
        assert part in message


@pytest.mark.parametrize("place", ["", "corpus"])
def test_a_mirror_is_searched_by_name_and_by_corpus_before_any_url(server: str, tmp_path: Path, place: str) -> None:
    mirror = tmp_path / "mirror" / place
    mirror.mkdir(parents=True)
    (mirror / "b.zip").write_bytes(CONTENT)
    bundles = [[remote(f"{server}/good/a.zip")], [remote(name="b.zip")]]
    record = fetch_bundle(bundles, [tmp_path / "mirror"], tmp_path / "corpus", QUICK)
    assert [file["name"] for file in record] == ["b.zip"]
    assert Handler.requests == []


def test_files_already_there_are_verified_and_not_fetched_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(CONTENT)
    fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert Handler.requests == []


def test_without_a_checksum_a_file_that_changed_in_the_mirror_is_copied_anew(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    for content in (b"first", b"second"):
        (tmp_path / "mirror/a.zip").write_bytes(content)
        record = fetch_bundle([[remote(sha256=None)]], [tmp_path / "mirror"], tmp_path / "raw", QUICK)
        assert record[0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_changed_file_is_set_aside_and_fetched_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"changed")
    fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert len(list(tmp_path.glob("a.zip.wrong-*"))) == 1


def test_without_a_checksum_a_file_that_was_damaged_on_disk_is_set_aside_and_fetched_again(
    server: str, tmp_path: Path
) -> None:
    fetch_bundle([[remote(f"{server}/good/a.zip", sha256=None)]], [], tmp_path, QUICK)
    (tmp_path / "a.zip").write_bytes(CONTENT[:-1])
    fetch_bundle([[remote(f"{server}/good/a.zip", sha256=None)]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert len(list(tmp_path.glob("a.zip.wrong-*"))) == 1


def test_a_file_that_is_set_aside_leaves_no_checksum_behind(server: str, tmp_path: Path) -> None:
    fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    (tmp_path / "a.zip").write_bytes(CONTENT[:-1])
    with pytest.raises(PipelineError):
        fetch_bundle([[remote()]], [], tmp_path, QUICK)
    assert [path.name[:12] for path in tmp_path.iterdir()] == ["a.zip.wrong-"]


def test_the_second_set_is_taken_when_the_first_cannot_be_completed(server: str, tmp_path: Path) -> None:
    bundles = [
        [remote(f"{server}/good/a.zip"), remote(f"{server}/missing/b.zip", name="b.zip")],
        [remote(f"{server}/good/c.zip", name="c.zip")],
    ]
    assert [file["name"] for file in fetch_bundle(bundles, [], tmp_path, QUICK)] == ["c.zip"]


@pytest.mark.parametrize("sha256", [DIGEST, None])
@pytest.mark.parametrize("behaviour", ["drips", "drips-head"])
def test_a_server_that_drips_is_given_up_though_it_never_stalls(
    server: str, tmp_path: Path, behaviour: str, sha256: str | None
) -> None:
    begun = time.monotonic()
    with pytest.raises(PipelineError) as caught:
        fetch_bundle([[remote(f"{server}/{behaviour}/a.zip", sha256=sha256)]], [], tmp_path, QUICK)
    assert "fewer than 16,384 bytes within 0.3 s (3 attempts in a row)" in caught.value.expected
    assert time.monotonic() - begun < 5


def test_a_file_has_a_deadline_whatever_arrives(server: str, tmp_path: Path) -> None:
    patience = Patience(timeout=0.3, least=1, attempts=1000, pause=0.0, deadline=0.5)
    begun = time.monotonic()
    with pytest.raises(PipelineError) as caught:
        fetch_bundle([[remote(f"{server}/drips/a.zip", f"{server}/good/a.zip")]], [], tmp_path, patience)
    assert caught.value.expected.count("not complete within 0.5 s") == 2
    assert "bytes have arrived" in caught.value.expected
    assert time.monotonic() - begun < 3
    assert 0 < (tmp_path / "a.zip.part").stat().st_size < 100  # with a checksum, the next run goes on from there
    fetch_bundle([[remote(f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_server_that_sends_a_byte_and_closes_is_not_asked_for_each_of_them(server: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="could not be fetched") as caught:
        fetch_bundle([[remote(f"{server}/one-byte/a.zip")]], [], tmp_path, QUICK)
    assert "the connection ended after 3 of 102,400 bytes (3 attempts in a row)" in caught.value.expected
    assert ranges() == [None, "bytes=1-", "bytes=2-"]


def test_a_server_without_ranges_that_begins_again_is_not_taken_for_one_that_drips(tmp_path: Path) -> None:
    """The part shrinks at first, and grows from then on."""
    sizes = iter([100, 40, 80, 120])
    patience = Patience(timeout=0.02, least=30)
    with watched(patience, time.monotonic() + 9, lambda: next(sizes, 1000)):
        time.sleep(0.07)


@pytest.mark.parametrize("sha256", [DIGEST, None])
def test_a_server_that_refuses_a_whole_file_as_an_unavailable_range_is_reported(
    server: str, tmp_path: Path, sha256: str | None
) -> None:
    with pytest.raises(PipelineError) as caught:
        fetch_bundle([[remote(f"{server}/no-range-satisfies/a.zip", sha256=sha256)]], [], tmp_path, QUICK)
    assert "HTTP status 416" in caught.value.expected
    assert ranges() == [None]


@pytest.mark.parametrize(
    ("scheme", "named"),
    [("ftp", "ftp://127.0.0.1:9/a.zip"), ("file", "file:///etc/hostname"), ("data", "data:"), ("itself", "302")],
)
def test_a_redirect_to_anything_but_a_web_address_is_refused(
    server: str, tmp_path: Path, scheme: str, named: str
) -> None:
    url = f"{server}/redirects-{scheme}/a.zip"
    with pytest.raises(PipelineError) as caught:
        fetch_bundle([[remote(url, sha256=None)]], [], tmp_path, QUICK)
    assert "HTTP status 302" in caught.value.expected
    assert named in caught.value.expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("length-negative", "a length of '-5' bytes"),
        ("length-of-letters", "a length of 'many' bytes"),
        ("length-absurd", f"after 102,400 of {int('9' * 30):,} bytes"),
        ("range-unasked", "another range than was asked for"),
        ("gzip", "Content-Encoding: gzip"),
        ("brotli", "Content-Encoding: br"),
    ],
)
def test_a_header_that_makes_no_sense_is_an_error_that_shows_it(
    server: str, tmp_path: Path, behaviour: str, said: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        fetch_bundle([[remote(f"{server}/{behaviour}/a.zip", sha256=None)]], [], tmp_path, QUICK)
    assert said in caught.value.expected
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("behaviour", [name for name in ODD_HEADERS if name.startswith("range-")])
def test_no_file_is_put_together_from_a_range_that_makes_no_sense(server: str, tmp_path: Path, behaviour: str) -> None:
    """Whether it is had or given up: with a checksum the next address is asked, from byte 0."""
    fetch_bundle([[remote(f"{server}/{behaviour}/a.zip", f"{server}/good/a.zip")]], [], tmp_path, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize(("behaviour", "name"), [("identity", "a.zip"), ("gzip", "a.csv.gz"), ("gzip", "a.tgz")])
def test_an_encoding_that_is_the_files_own_is_none(server: str, tmp_path: Path, behaviour: str, name: str) -> None:
    """Many servers send `x.gz` as it is and call it a file x in gzip."""
    fetch_bundle([[remote(f"{server}/{behaviour}/{name}", name=name)]], [], tmp_path, QUICK)
    assert (tmp_path / name).read_bytes() == CONTENT
