"""A running Hub, the ways to it, someone who pushes to it, and releases to push."""

import pytest
from huggingface_hub import constants

from tests.hub.pushing import Pusher, released
from tests.hub.server import Hub
from tests.hub.transports import TRANSPORTS
from tests.releases import attempts


def pytest_collection_modifyitems(items):
    # huggingface_hub 2.4 uploads through an argument that httpx2 would rather have under another name.
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"))


@pytest.fixture(scope="session")
def v1(tmp_path_factory):
    """Twelve problems, cut in many files."""
    return released(tmp_path_factory.mktemp("v1"), attempts(12))


@pytest.fixture(scope="session")
def v11(tmp_path_factory):
    """The next version: of three problems only, so that it has fewer files."""
    return released(tmp_path_factory.mktemp("v11"), attempts(3), "1.1.0")


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A release of one file for each of its two configs, and its index."""
    return released(tmp_path_factory.mktemp("small"), attempts(2), bucket_bytes=10**6)


@pytest.fixture(scope="session")
def unlicensed(tmp_path_factory):
    return released(tmp_path_factory.mktemp("unlicensed"), attempts(2), license=None)


@pytest.fixture
def hub():
    running = Hub()
    yield running
    running.close()


@pytest.fixture(params=list(TRANSPORTS))
def transport(request):
    """How large files go to the Hub in this test."""
    before = constants.HF_HUB_DISABLE_XET
    constants.HF_HUB_DISABLE_XET = request.param == "lfs"  # the client's switch: it looks at each upload
    yield TRANSPORTS[request.param]
    constants.HF_HUB_DISABLE_XET = before


@pytest.fixture
def push(hub):
    return Pusher(hub)
