"""A wrong key, model or address of a source of texts is news before the first video is matched, not hours later."""

from collections.abc import Iterator

import pytest

from maxi_core.errors import ExitCode
from tests.conftest import EXPANDER
from tests.plugins.loopback import Reply, Server, fault, serving

CAST = "toymatch,gpt3,toyverbs"
KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(Server()) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def bags(world, *more: str, model: str = "small-model"):
    return world.bags("-o", f"gpt3.model={model}", *more, sources=CAST)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"model": "small-modle"}, "does not list the model 'small-modle' (it offers large-model, small-model)"),
        ({"listing": fault(401, f"Incorrect API key provided: {KEY}")}, "refuses the API key (401)"),
        ({"listing": fault(402, "pay first")}, "the quota is used up"),
        ({"listing": fault(403, "not for you")}, "refuses access"),
        ({"variables": {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}}, "cannot reach http://127.0.0.1:9/v1"),
        ({"variables": {"OPENAI_BASE_URL": "http://no.such.host.invalid/v1"}}, "cannot reach http://no.such.host"),
        ({"variables": {"HTTP_PROXY": "http://127.0.0.1:9"}}, "cannot reach"),
        ({"variables": {"HTTP_PROXY": "nonsense://x:y"}}, "see HTTPS_PROXY and SSL_CERT_FILE"),
        ({"variables": {"SSL_CERT_FILE": "/no/such/file.pem"}}, "see HTTPS_PROXY and SSL_CERT_FILE"),
    ],
)
def test_what_cannot_work_ends_the_run_before_a_video_is_matched(
    world, server: Server, monkeypatch: pytest.MonkeyPatch, broken, said: str
) -> None:
    variables = broken.get("variables", {})
    if "HTTP_PROXY" in variables:
        for name in ("NO_PROXY", "no_proxy", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url.replace("127.0.0.1", "proxied.invalid"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    server.listing = broken.get("listing")
    ran = bags(world, model=broken.get("model", "small-model"))
    assert ran.code == ExitCode.FAILED, ran.err
    assert said in ran.err.splitlines()[-1]
    assert KEY not in ran.out + ran.err
    assert (world.asked(), server.requests) == ({}, [])


@pytest.mark.parametrize(
    "listing",
    [
        fault(404, "no such page"),
        fault(405, "POST only"),
        fault(503, "busy"),
        Reply("<html>", type="text/html"),
        Reply({"object": "list", "data": []}),
    ],
)
def test_an_endpoint_without_a_list_of_models_is_asked_all_the_same(world, server: Server, listing: Reply) -> None:
    server.listing = listing
    ran = bags(world)
    assert ran.code == ExitCode.DONE, ran.err
    assert "source 'gpt3' could not be tried before the work: " in ran.err
    assert len(server.requests) > 0


@pytest.mark.parametrize("listed", ["small-model:latest", "models/small-model"])
def test_a_model_may_be_listed_with_a_tag_or_a_folder(world, server: Server, listed: str) -> None:
    server.models = (listed,)
    assert bags(world).code == ExitCode.DONE


def test_a_run_that_knows_all_its_answers_asks_nobody_and_one_with_a_new_video_goes_on_without_a_network(
    world, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bags(world).code == ExitCode.DONE
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    ran = bags(world)
    assert (ran.code, "could not be tried" in ran.err) == (ExitCode.DONE, False)
    (world.folder / "actions.txt").read_text()
    world.videos.joinpath("clip 5.mp4").write_text("another film, of an entry that is known")
    ran = bags(world)
    assert ran.code == ExitCode.DONE, ran.err


def test_a_share_is_tried_first_too(world, server: Server) -> None:
    server.listing = fault(401, "no")
    ran = bags(world, "--shard", "1/2")
    assert (ran.code, world.asked()) == (ExitCode.FAILED, {})


def test_a_probe_that_breaks_is_warned_of_and_no_end(world, fake_dist) -> None:
    probe = "def probe(self):\n            raise ValueError('no luck')\n        def expand"
    fake_dist("probed", EXPANDER.format(name="probed").replace("def expand", probe, 1))
    ran = world.bags(sources="toymatch,probed,toyverbs")
    assert ran.code == ExitCode.DONE
    assert "source 'probed' could not be tried before the work: raised ValueError: no luck" in ran.err


def test_a_dry_run_says_that_the_endpoint_would_fail_and_asks_no_question(world, server: Server) -> None:
    assert bags(world, "--dry-run").code == ExitCode.DONE
    ran = bags(world, "--dry-run", model="small-modle")
    assert ran.code == ExitCode.FAILED
    assert "would fail: gpt3: " in ran.out
    assert "does not list the model 'small-modle'" in ran.out
    assert (server.requests, world.asked(), (world.folder / "store").exists()) == ([], {}, False)
