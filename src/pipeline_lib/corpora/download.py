"""The download of the files of a corpus: local mirrors first, then URLs, resumed, retried and verified."""

import http.client
import logging
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from pipeline_lib.config.corpora import RemoteFile
from pipeline_lib.corpora.patience import DeadlineError, Patience, watched
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.atomic import atomic, publish
from pipeline_lib.files.checksums import checksum_file, intact, sha256
from pipeline_lib.files.disk import is_disk_full
from pipeline_lib.stage.progress import ProgressBar

log = logging.getLogger(__name__)

_CHUNK = 1 << 18  # bytes read at a time
_PATIENCE = Patience()
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")  # of a reply: first and last byte, and how many there are


def fetch_bundle(
    bundles: Sequence[Sequence[RemoteFile]], mirrors: list[Path], folder: Path, patience: Patience = _PATIENCE
) -> list[dict[str, Any]]:
    """Bring the first complete one of several alternative sets of files into ``folder``.

    A set that ``folder`` and the mirrors hold completely is taken before any URL is asked. A mirror is searched for
    ``<mirror>/<name>`` and ``<mirror>/<folder name>/<name>``. Files already in ``folder`` are verified, not fetched;
    one without a checksum is replaced by that of a mirror, so that a change there is seen.

    Args:
        bundles: alternative sets, the preferred one first.
        mirrors: local folders, searched in order.
        folder: where the files go; its name is the name of the corpus.
        patience: for servers that stall or fail.
    Returns:
        ``{"name", "sha256", "bytes"}`` of each file of the set that was taken.
    Raises:
        PipelineError: no set could be completed; lists what was tried for each file and why it failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tried: dict[str, list[str]] = {}
    for online in (False, True):
        for bundle in bundles:
            if all(_obtain(file, mirrors, folder, patience if online else None, tried) for file in bundle):
                return [_record(folder / file.name) for file in bundle]
    raise PipelineError(
        "the files of this corpus could not be fetched",
        where=folder,
        expected=" or ".join(", ".join(file.name for file in bundle) for bundle in bundles) + _explain(bundles, tried),
        remedy="put these files into a folder of your own and set `mirror:` of the source to that folder",
    )


def _obtain(
    file: RemoteFile, mirrors: list[Path], folder: Path, patience: Patience | None, tried: dict[str, list[str]]
) -> bool:
    """Bring ``file`` into ``folder`` and tell whether it is there; reasons why not are added to ``tried``.

    Without ``patience`` the network is not used.
    """
    target, reasons = folder / file.name, tried.setdefault(file.name, [])

    def present() -> bool:
        return target.is_file() and _verified(target, target, file, reasons)

    def mirrored() -> bool:
        candidates = [place / file.name for mirror in mirrors for place in (mirror, mirror / folder.name)]
        return any(_copy(candidate, target, file, reasons) for candidate in candidates)

    if patience is not None:
        until = time.monotonic() + patience.deadline
        with _full_disk_named(target):
            return present() or any(_download(url, target, file, patience, until, reasons) for url in file.urls)
    if file.sha256 is None:  # nothing tells whether the file at hand is still the mirror's
        return mirrored() or present()
    return present() or mirrored()


def _copy(candidate: Path, target: Path, file: RemoteFile, reasons: list[str]) -> bool:
    if not candidate.is_file():
        reasons.append(f"{candidate}: no such file")
        return False
    with atomic(target) as temporary:
        shutil.copyfile(candidate, temporary)
    return _verified(target, candidate, file, reasons)


def _verified(path: Path, origin: Path | str, file: RemoteFile, reasons: list[str]) -> bool:
    """Check that ``path`` has the checksum it should have, or had when it was fetched; set it aside if not."""
    found = sha256(path)
    if found == file.sha256 or (file.sha256 is None and intact(path)):
        return True
    aside = path.with_name(f"{file.name}.wrong-{found[:8]}")
    os.replace(path, aside)
    checksum_file(path).unlink(missing_ok=True)  # after the file: without it, the wrong one would count as intact
    expected = file.sha256 or "the one that it had when it was fetched"
    reasons.append(f"{origin}: sha256 is {found}, expected {expected}; kept as {aside.name}")
    log.warning(reasons[-1])
    return False


def _record(path: Path) -> dict[str, Any]:
    return {"name": path.name, "sha256": sha256(path), "bytes": path.stat().st_size}


def _explain(bundles: Sequence[Sequence[RemoteFile]], tried: dict[str, list[str]]) -> str:
    lines = []
    for number, bundle in enumerate(bundles, 1):
        lines.append(f"set {number} of {len(bundles)}:")
        for file in bundle:
            lines += [f"  {file.name}"] + [f"    tried {reason}" for reason in tried.get(file.name, [])]
            lines += [] if file.urls else ["    no URL is configured"]
    return "".join("\n    " + line for line in lines)


# --- one URL -------------------------------------------------------------------------------------------------------


class _RefusedError(Exception):
    """The server's answer will not change by asking again."""


@dataclass
class _Version:
    """The headers by which a server tells versions of a file apart; blank where it sends none."""

    etag: str = ""
    modified: str = ""
    total: int = 0  # bytes

    @property
    def validator(self) -> str:
        """As ``If-Range`` takes it, which has no use for a weak ETag."""
        return self.modified if not self.etag or self.etag.startswith("W/") else self.etag

    def contradicts(self, other: "_Version") -> bool:
        return any(a != b for a, b in zip(astuple(self), astuple(other), strict=True) if a and b)


def _download(url: str, target: Path, file: RemoteFile, patience: Patience, until: float, reasons: list[str]) -> bool:
    part = target.with_name(target.name + ".part")
    version = None
    if file.sha256 is None:  # without a checksum nobody can tell what a part from an earlier run belongs to
        part.unlink(missing_ok=True)
        version = _Version()
    furthest = _size(part)
    fresh = furthest == 0
    failures = 0
    while True:
        try:
            with watched(patience, until, lambda: _size(part)):
                _receive(url, part, patience.timeout, version)
        except DeadlineError as late:
            reasons.append(f"{url}: {late}; {_size(part):,} bytes have arrived")
            return False
        except (_RefusedError, ValueError) as refusal:  # ValueError: not a URL
            reasons.append(f"{url}: {refusal}")
            return False
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and is_disk_full(error):
                raise
            failures = 1 if _size(part) >= furthest + patience.least else failures + 1
            furthest = max(furthest, _size(part))
            if failures >= patience.attempts:
                reasons.append(f"{url}: {error or type(error).__name__} ({failures} attempts in a row)")
                return False
            if version and not version.validator:  # the file may change before the next attempt, and nothing would tell
                part.unlink(missing_ok=True)
            time.sleep(patience.pause * 2 ** (failures - 1))
            continue
        if _verified(part, url, file, reasons):
            publish(part, target)
            return True
        if fresh:
            return False
        fresh, furthest = True, 0  # the part was of another file; it is out of the way now: once more from byte 0


def _receive(url: str, part: Path, timeout: float, version: _Version | None) -> None:
    """Add to ``part`` what it lacks of the body behind ``url``.

    Args:
        version: the version of ``part``, set when its first bytes arrive; None where a checksum will tell a mixture.
    Raises:
        _RefusedError: asking again is of no use.
        OSError, HTTPException: it may be, and what has arrived is kept.
    """
    asked_from = _size(part)
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", "User-Agent": "pipeline-lib"})
    if asked_from:
        request.add_header("Range", f"bytes={asked_from}-")
        if version:
            request.add_header("If-Range", version.validator)
    try:
        with urllib.request.build_opener(_WebRedirects).open(request, timeout=timeout) as reply:
            _store(reply, part, version)
    except urllib.error.HTTPError as error:
        if error.code == 416 and asked_from:
            complete = version is None or version.total in (0, asked_from)
            if complete and error.headers.get("Content-Range") == f"bytes */{asked_from}":
                return  # nothing is missing: an earlier run ended between the last byte and the renaming
            part.unlink()
            raise ConnectionError("the part on disk is not of this file; started again") from None
        if error.code in (408, 425, 429) or error.code >= 500:
            raise ConnectionError(f"HTTP status {error.code}") from None
        raise _RefusedError(f"HTTP status {error.code} {error.reason}") from None


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to another web address and refuses any other, such as ftp."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise _RefusedError(f"HTTP status {code}: redirected to {newurl}, which is not a web address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _store(reply: Any, part: Path, version: _Version | None) -> None:
    if reply.headers.get_content_type() == "text/html" and not part.name.endswith((".html.part", ".htm.part")):
        raise _RefusedError("a web page (text/html) came in place of the file")
    _check_encoding(reply, part)
    start = _size(part) if reply.status == 206 else 0  # 200: the server ignores ranges
    if reply.status == 206 and not _is_range_from(start, reply.headers.get("Content-Range", "")):
        part.unlink(missing_ok=True)
        raise ConnectionError("the server sent another range than was asked for")
    total = _total(reply, start)
    if version:
        found = _Version(reply.headers.get("ETag", ""), reply.headers.get("Last-Modified", ""), total or 0)
        if start and version.contradicts(found):
            part.unlink()
            raise ConnectionError("the file has changed on the server; started again")
        if not start:
            version.etag, version.modified, version.total = found.etag, found.modified, found.total
    with (
        open(part, "ab" if start else "wb") as out,
        ProgressBar(part.name.removesuffix(".part"), total, "B", start) as bar,
    ):
        while chunk := reply.read1(_CHUNK):  # what has arrived is kept should the next read stall
            out.write(chunk)
            out.flush()  # what has arrived is counted by the size of the file
            bar.advance(len(chunk))
    if total is not None and _size(part) < total:
        raise ConnectionError(f"the connection ended after {_size(part):,} of {total:,} bytes")


def _check_encoding(reply: Any, part: Path) -> None:
    """Refuse a body that was compressed for the way; of a file that is compressed itself, servers may say the same."""
    encoding = reply.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip") and part.name.endswith((".gz.part", ".tgz.part")):
        return
    if encoding not in ("", "identity"):
        raise _RefusedError(f"the server compressed the file (Content-Encoding: {encoding}), which was not asked for")


def _is_range_from(start: int, stated: str) -> bool:
    """Tell whether a Content-Range begins at ``start`` and makes sense."""
    if not (found := _RANGE.fullmatch(stated.strip())):
        return False
    first, last, total = found.groups()
    return start == int(first) <= int(last) and (total == "*" or int(last) < int(total))


def _total(reply: Any, start: int) -> int | None:
    """Return the bytes of the whole file, of which the reply holds those from ``start`` on.

    Raises:
        _RefusedError: the length that the server states is not a number of bytes.
    """
    stated = reply.headers.get("Content-Range", "").rpartition("/")[2]
    if start and stated.isdecimal():  # it may be an asterisk
        return int(stated)
    length = reply.headers.get("Content-Length")
    if not length:
        return None
    if not (length.isascii() and length.isdecimal()):
        raise _RefusedError(f"the server states a length of {length[:40]!r} bytes (Content-Length)")
    return start + int(length)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _full_disk_named(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise PipelineError(
            "no space left on the disk",
            where=target,
            remedy="free some space or set `results:` to a larger disk, then run again; with a checksum in the "
            "configuration the download goes on where it was",
        ) from error
