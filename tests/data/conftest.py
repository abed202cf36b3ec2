"""Every test of the data room has a cache of its own and sees none of the user's folders."""

import pytest

from tests.data.server import serve


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("JAXLAB_CACHE", str(folder))
    monkeypatch.delenv("JAXLAB_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def published(tmp_path):
    """The folder that the server publishes."""
    folder = tmp_path / "published"
    folder.mkdir()
    return folder


@pytest.fixture
def server(published):
    with serve(published) as (url, requests):
        yield url, requests
