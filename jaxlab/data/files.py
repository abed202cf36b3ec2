"""Where the bytes of a data set come from, and how they are trusted.

A :class:`FileSpec` pins one published file; :func:`fetch` returns its content from the first place
that has it:

1. ``root``, an explicit folder: ``root/FOLDER/NAME``, then ``root/NAME``;
2. the folder ``$JAXLAB_DATA`` names, searched the same way;
3. the system folders of the spec, such as those of a Debian package;
4. the cache: ``$JAXLAB_CACHE``, else the platform's cache folder for jaxlab;
5. a download from the spec's URLs, in order, into the cache.

Nothing unverified is ever returned: the bytes handed out are the very bytes whose SHA-256 was
compared, on every load. A file that fails is treated by whose it is. In a folder that you named
(1, 2) it is refused at once. In 3 and 4 it is reported with a warning and passed over; a good
download then takes the place of a bad file in the cache. A download goes to a hidden ``.part``
file beside its target and is moved there, atomically, once verified: an interrupted one leaves
nothing under the file's name, and two processes may load at once. When no place works, one
:class:`DataUnavailableError` says what was tried and each way to get the file.
"""

import contextlib
import dataclasses
import gzip
import hashlib
import os
import secrets
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from jaxlab.checks import require
from jaxlab.progress import Progress

__all__ = ["DataUnavailableError", "FileSpec", "cache_folder", "fetch", "is_offline"]

PathLike = str | os.PathLike[str]


class DataUnavailableError(RuntimeError):
    """A data set's file is nowhere to be had, or what is there is not the published file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileSpec:
    """One published file, pinned by checksum.

    Exactly one of the two checksums is given. ``content_sha256`` is for gzip files that circulate
    re-compressed: what they hold is compared, the file may also lie there uncompressed under its
    name without ``.gz``, and :func:`fetch` returns it decompressed. Where one content circulates in
    several formats, ``compared`` says what of it the checksum is of, in whichever format it comes.

    Attributes:
        folder: sub-folder in ``root``, ``$JAXLAB_DATA`` and the cache: the data set's name.
        name: the published file name.
        urls: http or https; the canonical URL first, then mirrors. Empty for a file that only the
            user can supply.
        sha256: SHA-256 of the file as published, in lower-case hexadecimal.
        content_sha256: SHA-256 of the file after gunzip.
        system: folder of a system-wide copy, and how to install it there.
        compared: with ``content_sha256``: what of the content is compared, all of it by default;
            what this leaves out is not verified. An error of it refuses the file.
        copies: further file names; with ``compared``, of copies in other formats too.
    """

    folder: str
    name: str
    urls: tuple[str, ...]
    sha256: str | None = None
    content_sha256: str | None = None
    system: Mapping[str, str] = dataclasses.field(default_factory=dict)
    compared: Callable[[bytes], bytes] | None = None
    copies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = [digest for digest in (self.sha256, self.content_sha256) if digest is not None]
        require(len(given) == 1, "sha256, content_sha256", given, "exactly one of the two")
        fits = len(given[0]) == 64 and not set(given[0]) - set("0123456789abcdef")
        require(fits, "sha256, content_sha256", given[0], "64 lower-case hexadecimal digits")
        fits = self.compared is None or self.content_sha256 is not None
        require(fits, "sha256", given[0], "content_sha256 where compared is given")

    @property
    def checksum(self) -> str:
        """The pinned SHA-256, whichever of the two it is."""
        return self.sha256 or self.content_sha256 or ""

    @property
    def names(self) -> tuple[str, ...]:
        """The file names under which a copy is looked for."""
        plain = self.name.removesuffix(".gz")
        decompressed = (plain,) if self.content_sha256 and plain != self.name else ()
        return (self.name, *decompressed, *self.copies)


def fetch(spec: FileSpec, root: PathLike | None = None) -> bytes:
    """The verified content of a file, from the first place that has it.

    Args:
        spec: the file.
        root: a folder of yours to look in first; it must exist.

    Returns:
        The content: decompressed when ``spec.content_sha256`` is what was compared.

    Raises:
        DataUnavailableError: no place has the file, or a folder that you named has a bad one.
        ValueError: ``root`` is not a folder.

    Cost: reads and hashes the whole file on every call; memory is the size of the content, plus
    the compressed size for gzip.

    Example:
        >>> import tempfile
        >>> digest = hashlib.sha256(b"1 2 3").hexdigest()
        >>> spec = FileSpec(folder="numbers", name="numbers.txt", urls=(), sha256=digest)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "numbers.txt").write_text("1 2 3")
        ...     fetch(spec, root=folder)
        b'1 2 3'
    """
    tried: list[str] = []
    for place, path, refuses in _local_copies(spec, root):
        if not os.path.isfile(path):  # False, not an error, where a folder may not be entered
            continue
        try:
            return _verified(spec, path.read_bytes())
        except (OSError, _BadContentError) as error:
            complaint = f"{place} {path}: {error}"
            if refuses:
                raise DataUnavailableError(
                    f"{spec.folder}: refusing a bad file: {complaint}. "
                    f"Remove it, or replace it by {_origin(spec)}"
                ) from error
            warnings.warn(f"{spec.folder}: passing over {complaint}", RuntimeWarning, stacklevel=2)
            tried.append(complaint)
    for url in spec.urls:
        try:
            return _download(spec, url)
        except (OSError, _BadContentError) as error:
            tried.append(f"{url}: {error}")
            if isinstance(error, _CacheNotWritableError):
                break
    raise DataUnavailableError(_account(spec, root, tried))


def is_offline(spec: FileSpec, root: PathLike | None = None) -> bool:
    """Whether a local copy of the file is there. Its checksum is not compared before it is used.

    Example:
        >>> spec = FileSpec(folder="numbers", name="numbers.txt", urls=(), sha256=64 * "0")
        >>> is_offline(spec)
        False
    """
    return any(os.path.isfile(path) for _, path, _ in _local_copies(spec, root))


def cache_folder() -> Path:
    """``$JAXLAB_CACHE``, else the platform's cache folder for jaxlab.

    Example:
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, JAXLAB_CACHE="/data/cache"):
        ...     cache_folder().as_posix()
        '/data/cache'
    """
    if folder := os.environ.get("JAXLAB_CACHE"):
        return Path(folder).expanduser()
    import pooch

    return Path(pooch.os_cache("jaxlab"))


class _BadContentError(Exception):
    """The bytes at hand are not the published ones."""


class _CacheNotWritableError(OSError):
    """The cache is not a place where files can be made."""


def _local_copies(spec: FileSpec, root: PathLike | None) -> Iterator[tuple[str, Path, bool]]:
    """Each place's name, the path to look at, and whether a bad file there ends the search."""
    if root is not None:
        folder = Path(root).expanduser()
        require(folder.is_dir(), "root", os.fspath(root), "an existing folder")
        for base in (folder / spec.folder, folder):
            yield from (("root", base / name, True) for name in spec.names)
    if named := os.environ.get("JAXLAB_DATA"):
        folder = Path(named).expanduser()
        for base in (folder / spec.folder, folder):
            yield from (("$JAXLAB_DATA", base / name, True) for name in spec.names)
    for system in spec.system:
        yield from (("system folder", Path(system) / name, False) for name in spec.names)
    yield "cache", cache_folder() / spec.folder / spec.name, False


def _verified(spec: FileSpec, data: bytes) -> bytes:
    """``data`` as :func:`fetch` returns it, or ``_BadContentError``."""
    size = len(data)
    if spec.content_sha256 is not None and data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise _BadContentError(f"corrupt gzip of {size} bytes ({error})") from error
    try:
        compared = data if spec.compared is None else spec.compared(data)
    except Exception as error:  # whatever damage does to the reader
        raise _BadContentError(f"{type(error).__name__}: {error}") from error
    digest = hashlib.sha256(compared).hexdigest()
    if digest != spec.checksum:
        what = "content" if spec.content_sha256 else "file"
        raise _BadContentError(
            f"wrong checksum: the {what} of {len(data)} bytes has sha256 {digest}, "
            f"expected {spec.checksum}"
        )
    return data


def _download(spec: FileSpec, url: str) -> bytes:
    """Download into the cache: a hidden partial file, verified, then moved into place."""
    import pooch

    target = cache_folder() / spec.folder / spec.name
    # a name of its own for every attempt, so that two processes never write to one file
    part = target.with_name(f".{spec.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch(exist_ok=False)
    except OSError as error:
        raise _CacheNotWritableError(
            f"the cache cannot be written: {error}; set $JAXLAB_CACHE to a folder that can"
        ) from error
    bar = _Bar(f"{spec.folder} {spec.name}, kB")
    try:
        downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16)
        downloader(url, os.fspath(part), None)
        content = _verified(spec, part.read_bytes())
        part.replace(target)
    finally:
        bar.close()
        part.unlink(missing_ok=True)
    return content


class _Bar:
    """A :class:`jaxlab.progress.Progress` behind the four names that pooch asks of a bar."""

    def __init__(self, title: str):
        self._title, self._stack, self._received, self._shown = title, contextlib.ExitStack(), 0, 0
        self._progress: Progress | None = None
        self._total = 0

    @property
    def total(self) -> int:
        """Size of the file in bytes, 0 when the server does not say."""
        return self._total

    @total.setter
    def total(self, size: int) -> None:
        self._total = size
        self._progress = self._stack.enter_context(Progress(self._title, size // 1000))

    def update(self, size: int) -> None:
        """Count ``size`` more bytes, up to the total: pooch reports the last chunk as a whole."""
        self._received += size
        received = min(self._received, self._total) if self._total else self._received
        if self._progress is not None and received // 1000 > self._shown:
            self._progress.advance(received // 1000 - self._shown)
            self._shown = received // 1000

    def reset(self) -> None:
        """Pooch counts the whole file once more at the end; what is shown stays."""
        self._received = 0

    def close(self) -> None:
        """End the live line."""
        self._stack.close()


def _account(spec: FileSpec, root: PathLike | None, tried: list[str]) -> str:
    """What was tried, and each way to get the file."""
    variable = os.environ.get("JAXLAB_DATA")
    cache = cache_folder()
    places = [f"root: {root}" if root is not None else "root: not given"]
    places += [f"$JAXLAB_DATA: {variable}" if variable else "$JAXLAB_DATA: not set"]
    if variable and not Path(variable).expanduser().is_dir():
        places[-1] += " (not a folder)"
    places += [f"system folder: {folder}" for folder in spec.system]
    places += [f"cache: {cache / spec.folder}"]
    ways = ["load it again with a network; the file is then kept in the cache"] if spec.urls else []
    ways += [
        f"put {_origin(spec)} into {cache / spec.folder}, or into a folder that you name with "
        f"root=… or $JAXLAB_DATA (there or in its sub-folder {spec.folder})"
    ]
    ways += list(spec.system.values())
    message = f"{spec.folder}: {spec.name} is not available"
    parts = {"looked in": places, "tried and failed": tried, "to get it, one of": ways}
    for title, lines in parts.items():
        if lines:
            message += f"\n  {title}:" + "".join(f"\n    {line}" for line in lines)
    return message


def _origin(spec: FileSpec) -> str:
    return spec.urls[0] if spec.urls else f"{spec.name} from the data set's source"
