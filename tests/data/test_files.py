"""Where files are found, what is refused, and what a failed download leaves behind."""

import functools
import gzip
import hashlib
import multiprocessing
import os
import socket
import stat
import warnings

import pytest

from jaxlab.data import DataUnavailableError, FileSpec, cache_folder, fetch, files, is_offline
from jaxlab.progress import Progress

CONTENT = bytes(range(256)) * 4096  # 1 MiB
PACKED = gzip.compress(CONTENT, mtime=0)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def file_spec(*urls, **changes):
    fields = {"folder": "toy", "name": "toy.gz", "urls": urls, "content_sha256": sha256(CONTENT)}
    return FileSpec(**fields | changes)


def put(folder, name="toy.gz", content=PACKED):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# --- the order of places ------------------------------------------------------------------------


def test_places_are_searched_in_order(tmp_path, cache, monkeypatch):
    """One accepted copy in each place, told apart by reading: the first place is the only one."""
    root, named, system = (tmp_path / name for name in ("root", "named", "system"))
    spec = file_spec(system={str(system): "install it"})
    for folder in (root, named, system):
        folder.mkdir()
    monkeypatch.setenv("JAXLAB_DATA", str(named))
    # a bad file ends the search in root and $JAXLAB_DATA, and is warned about elsewhere, so that
    # the message shows which place was reached first
    put(cache / "toy", content=b"bad")
    put(system, content=b"bad")
    with pytest.warns(RuntimeWarning) as warned, pytest.raises(DataUnavailableError):
        fetch(spec, root)
    assert ["system folder" in str(warned[0].message), "cache" in str(warned[1].message)] == [1, 1]
    put(named, content=b"bad")
    with pytest.raises(DataUnavailableError, match=r"refusing a bad file: \$JAXLAB_DATA"):
        fetch(spec, root)
    put(root, content=b"bad")
    with pytest.raises(DataUnavailableError, match="refusing a bad file: root"):
        fetch(spec, root)
    put(root / "toy")  # the sub-folder comes before the folder itself
    assert fetch(spec, root) == CONTENT


@pytest.mark.parametrize("sub", ["", "toy"])
@pytest.mark.parametrize("how", ["root", "variable"])
def test_folder_of_the_user(tmp_path, monkeypatch, how, sub):
    put(tmp_path / "mine" / sub)
    if how == "variable":
        monkeypatch.setenv("JAXLAB_DATA", str(tmp_path / "mine"))
    root = tmp_path / "mine" if how == "root" else None
    assert is_offline(file_spec(), root)
    assert fetch(file_spec(), root) == CONTENT


def test_system_folder_and_cache(tmp_path, cache):
    spec = file_spec(system={str(tmp_path / "system"): "install it"})
    assert not is_offline(spec)
    put(cache / "toy")
    assert fetch(spec) == CONTENT
    put(tmp_path / "system", content=gzip.compress(CONTENT, 1))
    assert is_offline(spec)
    assert fetch(spec) == CONTENT


def test_root_that_lacks_the_file_is_passed_over(tmp_path, cache):
    put(cache / "toy")
    assert fetch(file_spec(), tmp_path) == CONTENT


def test_root_must_be_a_folder(tmp_path):
    with pytest.raises(ValueError, match="root: expected an existing folder"):
        fetch(file_spec(), tmp_path / "nowhere")


def test_cache_folder_by_default(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXLAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "jaxlab" in cache_folder().parts


# --- what a checksum covers ---------------------------------------------------------------------


@pytest.mark.parametrize("level", [1, 9])
def test_content_checksum_accepts_recompressed_files(tmp_path, level):
    put(tmp_path, content=gzip.compress(CONTENT, level))
    assert fetch(file_spec(), tmp_path) == CONTENT


def test_content_checksum_accepts_uncompressed_files(tmp_path):
    put(tmp_path, "toy", CONTENT)
    assert fetch(file_spec(), tmp_path) == CONTENT


def test_file_checksum_covers_the_file_as_it_is(tmp_path):
    spec = file_spec(content_sha256=None, sha256=sha256(PACKED))
    put(tmp_path)
    assert fetch(spec, tmp_path) == PACKED
    put(tmp_path, content=gzip.compress(CONTENT, 1))
    with pytest.raises(DataUnavailableError, match="wrong checksum"):
        fetch(spec, tmp_path)


@pytest.mark.parametrize(
    "digests",
    [
        {"sha256": None, "content_sha256": None},
        {"sha256": sha256(b""), "content_sha256": sha256(b"")},
        {"content_sha256": sha256(b"").upper()},
        {"content_sha256": "abc"},
    ],
)
def test_spec_needs_one_well_formed_checksum(digests):
    with pytest.raises(ValueError, match="sha256"):
        file_spec(**digests)


FLIPPED = bytearray(PACKED)
FLIPPED[len(PACKED) // 2] ^= 1
BAD = {
    "truncated": PACKED[: len(PACKED) // 2],
    "empty": b"",
    "flipped bit": bytes(FLIPPED),
    "other content": gzip.compress(CONTENT[:-1] + b"?"),
    "not gzip": b"<html>404</html>",
    "trailing rubbish": PACKED + b"rubbish",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("kind", ["content_sha256", "sha256"])
def test_bad_file_of_the_user_is_refused(tmp_path, server, published, kind, content):
    """Refused, although the network has a good one: what you name is what you get."""
    put(published)
    digests = {"content_sha256": None, "sha256": None}
    digests[kind] = sha256(CONTENT if kind == "content_sha256" else PACKED)
    put(tmp_path / "mine", content=content)
    with pytest.raises(DataUnavailableError, match=r"refusing .*(wrong checksum|corrupt gzip)"):
        fetch(file_spec(f"{server[0]}/toy.gz", **digests), tmp_path / "mine")
    assert server[1] == []


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_bad_file_in_the_cache_is_reported_and_replaced(cache, server, published, content):
    put(published)
    put(cache / "toy", content=content)
    with pytest.warns(RuntimeWarning, match=r"passing over cache .*(checksum|corrupt gzip)"):
        assert fetch(file_spec(f"{server[0]}/toy.gz")) == CONTENT
    assert (cache / "toy" / "toy.gz").read_bytes() == PACKED


@pytest.mark.parametrize(
    "error", [ValueError("no archive"), RuntimeError("encrypted"), MemoryError("too large")]
)
def test_a_file_that_cannot_be_compared_is_a_bad_one(tmp_path, cache, error):
    def damaged(data):
        raise error

    put(tmp_path, name="toy.zip", content=b"PK")
    spec = file_spec(name="toy.zip", compared=damaged)
    with pytest.raises(DataUnavailableError, match=f"refusing a bad file.*{error}"):
        fetch(spec, tmp_path)
    put(cache / "toy", name="toy.zip", content=b"PK")
    with (
        pytest.warns(RuntimeWarning, match=f"passing over cache.*{error}"),
        pytest.raises(DataUnavailableError, match=f"tried and failed.*\n.*{error}"),
    ):
        fetch(spec)


def test_bad_file_in_the_cache_stays_until_there_is_a_better_one(cache, server):
    put(cache / "toy", content=b"bad")
    with (
        pytest.warns(RuntimeWarning, match="passing over cache"),
        pytest.raises(DataUnavailableError, match=r"(?s)wrong checksum.*404"),
    ):
        fetch(file_spec(f"{server[0]}/toy.gz"))
    assert (cache / "toy" / "toy.gz").read_bytes() == b"bad"
    assert left_in(cache) == ["toy.gz"]


# --- downloads ----------------------------------------------------------------------------------


def test_download_is_cached(cache, server, published):
    put(published)
    spec = file_spec(f"{server[0]}/toy.gz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fetch(spec) == CONTENT
        assert fetch(spec) == CONTENT
    assert server[1] == ["/toy.gz"]
    assert left_in(cache) == ["toy.gz"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((cache / "toy" / "toy.gz").stat().st_mode) == 0o666 & ~umask


def test_second_url_serves_when_the_first_fails(cache, server, published):
    put(published)
    assert fetch(file_spec(f"{server[0]}/missing", f"{server[0]}/toy.gz")) == CONTENT
    assert server[1] == ["/missing", "/toy.gz"]
    assert left_in(cache) == ["toy.gz"]


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("missing.gz", PACKED, "404"),
        ("short/toy.gz", PACKED, "(?i)incomplete"),
        ("toy.gz", BAD["truncated"], "corrupt gzip"),
        ("toy.gz", BAD["flipped bit"], "corrupt gzip|wrong checksum"),
        ("toy.gz", BAD["other content"], "wrong checksum"),
    ],
)
def test_failed_download_leaves_nothing(cache, server, published, path, content, message):
    put(published, content=content)
    with pytest.raises(DataUnavailableError, match=message):
        fetch(file_spec(f"{server[0]}/{path}"))
    assert left_in(cache) == []


def test_interrupted_download_leaves_nothing(cache, server, published, monkeypatch):
    put(published)

    def interrupt(self, size):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxlab.data.files._Bar.update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(file_spec(f"{server[0]}/toy.gz"))
    assert left_in(cache) == []


def _fetch_and_report(spec, barrier, results):
    barrier.wait()
    results.put(sha256(fetch(spec)))


def test_killed_download_is_never_used(cache, server, published):
    """SIGKILL in mid-transfer: at most a hidden partial file stays, and the next load succeeds."""
    put(published)
    context = multiprocessing.get_context("spawn")
    spec = file_spec(f"{server[0]}/stall/toy.gz")
    barrier, results = context.Barrier(2), context.Queue()
    process = context.Process(target=_fetch_and_report, args=(spec, barrier, results))
    process.start()
    barrier.wait(timeout=60)
    while not any(cache.rglob("*.part")):
        assert process.is_alive()
    process.kill()
    process.join()
    assert not (cache / "toy" / "toy.gz").exists()
    assert not is_offline(spec)
    assert fetch(file_spec(f"{server[0]}/toy.gz")) == CONTENT


def test_two_processes_load_at_once(cache, server, published):
    put(published)
    context = multiprocessing.get_context("spawn")
    spec = file_spec(f"{server[0]}/slow/toy.gz")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_fetch_and_report, args=(spec, barrier, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    digests = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert digests == [sha256(CONTENT)] * 2
    assert left_in(cache) == ["toy.gz"]
    assert len(server[1]) == 2, "both were downloading at the same time"


def test_progress_of_a_download(server, published, capsys, monkeypatch):
    put(published, content=CONTENT)
    monkeypatch.setattr(files, "Progress", functools.partial(Progress, interval=0.0))
    spec = file_spec(f"{server[0]}/toy.gz", content_sha256=None, sha256=sha256(CONTENT))
    fetch(spec)
    lines = capsys.readouterr().err.splitlines()
    assert "toy toy.gz, kB 65/1048" in lines[0]
    assert "1048/1048 (100%)" in lines[-1]


# --- nothing works ------------------------------------------------------------------------------


def test_without_a_network_the_error_lists_every_way(tmp_path, cache, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/toy.gz"
    monkeypatch.setenv("JAXLAB_DATA", str(tmp_path / "nowhere"))
    spec = file_spec(url, system={"/usr/share/nothing": "apt install toy"})
    with pytest.raises(DataUnavailableError) as caught:
        fetch(spec, tmp_path)
    message = str(caught.value)
    for piece in (
        "toy.gz is not available",
        f"root: {tmp_path}",
        f"$JAXLAB_DATA: {tmp_path / 'nowhere'} (not a folder)",
        "system folder: /usr/share/nothing",
        f"cache: {cache / 'toy'}",
        "refused",
        f"put {url} into {cache / 'toy'}",
        "apt install toy",
    ):
        assert piece in message, piece
    assert left_in(cache) == []


def test_file_that_only_the_user_can_supply(tmp_path):
    with pytest.raises(DataUnavailableError, match=r"put toy.gz from the data set's source into"):
        fetch(file_spec())


def test_cache_that_cannot_be_a_folder(tmp_path, server, published, monkeypatch):
    put(published)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("JAXLAB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataUnavailableError, match=r"cannot be written.*set \$JAXLAB_CACHE"):
        fetch(file_spec(f"{server[0]}/toy.gz"))
    assert server[1] == [], "nothing is downloaded that could not be kept"


def test_cache_without_write_permission(cache, server, published):
    put(published)
    (cache / "toy").mkdir(parents=True)
    (cache / "toy").chmod(0o500)
    if os.access(cache / "toy", os.W_OK):
        pytest.skip("permissions do not bind this user (root)")
    with pytest.raises(DataUnavailableError, match=r"cannot be written.*set \$JAXLAB_CACHE"):
        fetch(file_spec(f"{server[0]}/toy.gz"))
    assert server[1] == []


def test_full_disk_leaves_nothing(cache, server, published, monkeypatch):
    put(published)

    def full(self, size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxlab.data.files._Bar.update", full)
    with pytest.raises(DataUnavailableError, match="No space left"):
        fetch(file_spec(f"{server[0]}/toy.gz"))
    assert left_in(cache) == []
