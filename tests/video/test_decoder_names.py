"""`--decoder`: by name from plugins, or code that somebody typed; never code that lies somewhere."""

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode, PluginError, UsageError
from maxi_core.plugin.catalog import discover
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.decoders import look_up
from maxi_core.video.frames import Frames
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from tests.conftest import FakeDist

CODE = """
    from pathlib import Path
    from maxi_core.video.pyav_decoder import decode as real

    Path(__file__).with_suffix(".ran").touch()

    def decode(*given, **more):
        return real(*given, **more)
"""
DECODER = """
    import numpy as np
    from maxi_core import Decoded, Decoder, hookimpl

    class Grey(Decoder):
        '''Show nothing but grey.'''
        name = "{name}"

        def decode(self, path, choose, sides=(None,), **asked):
            shapes = [(len(part), side or 9, side or 9, 3) for side, part in zip(sides, choose(30, None))]
            return Decoded(tuple(np.full(shape, 128, np.uint8) for shape in shapes), 30)

    @hookimpl
    def maxi_register_decoders():
        return [Grey]
"""


@pytest.fixture
def code(tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put `mine.py` with a decoder and a video into the current folder; return the mark that importing it leaves."""
    (tmp_path / "mine.py").write_text(textwrap.dedent(CODE))
    shutil.copy(good, tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path / "mine.ran"


def refused(ran, origin: str) -> bool:
    said = f"{origin} names code as the decoder, 'mine:decode', and nobody typed that; type --decoder mine:decode"
    return (ran.code, ran.out, ran.err) == (ExitCode.USAGE, "", f"maxi: error: {said}\n")


def test_code_from_a_maxi_toml_that_lies_there_is_refused_and_not_imported(maxi, code: Path) -> None:
    Path("maxi.toml").write_text('[video]\ndecoder = "mine:decode"\n')
    assert refused(maxi("check", "clip.mp4"), "maxi.toml")
    assert not code.exists()


def test_code_from_a_variable_is_refused_and_not_imported(maxi, code: Path, monkeypatch) -> None:
    monkeypatch.setenv("MAXI_VIDEO_DECODER", "mine:decode")
    assert refused(maxi("check", "clip.mp4"), "MAXI_VIDEO_DECODER")
    Path("typed.toml").write_text("[video]\nworkers = 0\n")
    assert refused(maxi("check", "clip.mp4", "--config", "typed.toml"), "MAXI_VIDEO_DECODER")
    assert not code.exists()


def test_code_from_the_settled_recipe_of_a_run_is_refused_and_not_imported(maxi, code: Path) -> None:
    Path("recipe.toml").write_text('schema = 1\nmaxi = "0.1.0"\n[video]\ndecoder = "mine:decode"\n')
    assert refused(maxi("check", "clip.mp4", "--config", "recipe.toml"), "recipe.toml")
    assert not code.exists()


def test_the_recipe_that_maxi_merge_reads_by_itself_makes_nobody_run_a_decoder(maxi, code: Path) -> None:
    Path("run/shards").mkdir(parents=True)
    Path("run/shards/recipe.toml").write_text('schema = 1\n[video]\ndecoder = "mine:decode"\n')
    assert refused(maxi("merge", "run"), "recipe.toml")
    assert not code.exists()


def test_code_from_a_recipe_that_is_named_a_flag_or_an_option_is_used(maxi, code: Path, monkeypatch) -> None:
    Path("typed.toml").write_text('[video]\ndecoder = "mine:decode"\n')
    for arguments in (["--config", "typed.toml"], ["--decoder", "mine:decode"], ["-o", "video.decoder=mine:decode"]):
        for workers in ("0", "1"):
            monkeypatch.delitem(sys.modules, "mine", raising=False)
            code.unlink(missing_ok=True)
            ran = maxi("check", "clip.mp4", *arguments, "--workers", workers, "--json")
            assert ran.code == ExitCode.DONE, ran.err
            assert json.loads(ran.out)["videos"][0]["decoder"] == "mine:decode"
            assert code.exists()


def test_what_is_typed_stands_over_code_that_lies_there(maxi, code: Path, monkeypatch) -> None:
    Path("maxi.toml").write_text('[video]\ndecoder = "mine:decode"\n')
    ran = maxi("check", "clip.mp4", "--decoder", "pyav", "--json")
    assert json.loads(ran.out)["videos"][0]["decoder"] == "maxi:pyav"
    assert not code.exists()
    monkeypatch.setenv("MAXI_VIDEO_DECODER", "mine:decode")
    assert maxi("check", "clip.mp4", "--decoder", "mine:decode").code == ExitCode.DONE
    assert code.exists()


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_decoder_of_another_package_is_listed_and_used_by_name(
    maxi, fake_dist: FakeDist, code: Path, workers: str, monkeypatch
) -> None:
    fake_dist("greyness", DECODER.format(name="grey"))
    assert "grey" in maxi("plugins").out
    assert json.loads(maxi("env", "--json").out)["decoders"]["grey"] == "of greyness 1.0"
    monkeypatch.setenv("MAXI_VIDEO_DECODER", "grey")  # a name is no code: a variable may say it
    ran = maxi("check", "clip.mp4", "--workers", workers, "--json")
    assert ran.code == ExitCode.DONE, ran.err
    [video] = json.loads(ran.out)["videos"]
    assert (video["frames_found"], video["decoder"]) == (30, "greyness:grey")


def test_a_strangers_decoder_of_a_name_of_maxis_breaks_no_run_that_does_not_use_it(
    maxi, fake_dist: FakeDist, code: Path
) -> None:
    fake_dist("greyness", DECODER.format(name="pyav"))
    ran = maxi("check", "clip.mp4", "--json")
    assert json.loads(ran.out)["videos"][0]["decoder"] == "maxi:pyav"
    ran = maxi("check", "clip.mp4", "--decoder", "pyav")
    assert ran.code == ExitCode.USAGE
    assert "'pyav' is offered by maxi" in ran.err
    assert "and by greyness 1.0; write greyness:pyav or maxi:pyav" in ran.err
    ran = maxi("check", "clip.mp4", "--decoder", "greyness:pyav", "--json")
    assert json.loads(ran.out)["videos"][0]["frames_found"] == 30


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_decoder_in_a_file_that_was_named_is_used_in_the_workers_too(maxi, code: Path, workers: str) -> None:
    Path("look.py").write_text(textwrap.dedent(DECODER.format(name="grey")))
    ran = maxi("check", "clip.mp4", "--plugin", "look.py", "--decoder", "grey", "--workers", workers, "--json")
    assert ran.code == ExitCode.DONE, ran.err
    [video] = json.loads(ran.out)["videos"]
    assert (video["frames_found"], video["decoder"]) == (30, "file:grey")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("pyva", r"no decoder is called 'pyva' \(did you mean 'pyav'\?\)"),
        ("maxi:pyva", "no decoder is called 'maxi:pyva'"),
        ("mean", "'mean' is a temporal, and a decoder is wanted here; known: decord, pyav, torchcodec"),
        (":decode", "decoder ':decode' is not of the form module:function"),
        ("module:", "decoder 'module:' is not of the form module:function"),
    ],
)
def test_a_decoder_that_is_not_there_is_one_line(maxi, code: Path, name: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        look_up(name, discover())
    ran = maxi("check", "clip.mp4", "--decoder", name)
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)


def test_a_decoder_that_is_switched_off_or_ends_the_process_is_named(maxi, fake_dist: FakeDist, code: Path) -> None:
    ran = maxi("check", "clip.mp4", "--no-plugin", "pyav")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "plugin 'maxi:pyav' is switched off: left out by --no-plugin" in ran.err
    Path("leaves.py").write_text("import sys\nsys.exit(0)\n")
    for workers in ("0", "1"):
        ran = maxi("check", "clip.mp4", "--decoder", "leaves:decode", "--workers", workers)
        assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
        assert "decoder 'leaves:decode' cannot be loaded (SystemExit: 0)" in ran.err


def test_a_decoder_with_options_or_without_the_method_is_refused_when_its_plugin_is_loaded(fake_dist) -> None:
    fake_dist("with-options", DECODER.format(name="one").replace('name = "one"', 'name = "one"; Options = dict'))
    fake_dist("without", DECODER.format(name="two").replace("def decode(", "def read("))
    errors = {plugin.name: plugin.error for plugin in discover().plugins if plugin.state == "broken"}
    assert errors["with-options"] == "Grey has Options, and a decoder takes none"
    assert errors["without"] == "Grey lacks the method decode"
    with pytest.raises(PluginError, match="no decoder is called 'one'"):
        look_up("one", discover())


def test_the_kit_says_that_it_has_no_contract_for_decoders(maxi) -> None:
    ran = maxi("check-plugin", "pyav")
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert ran.err.startswith("maxi: error: 'pyav' is a decoder, which has no contract; roles with one: injector, ")


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.long)])
def test_torchcodec_without_ffmpeg_says_in_one_line_what_to_install(maxi, code: Path, workers: str) -> None:
    if pytest.importorskip("torchcodec").ffmpeg_major_version is not None:
        pytest.skip("FFmpeg is here")
    ran = maxi("check", "clip.mp4", "--decoder", "torchcodec", "--workers", workers)
    assert (ran.code, ran.out, ran.err.count("\n")) == (ExitCode.USAGE, "", 1)
    assert "finds no shared libraries of FFmpeg 4 to 9 on this machine; install FFmpeg (apt install ffmpeg" in ran.err


def test_a_worker_imports_its_decoder_and_no_other_plugin(code: Path) -> None:
    """What a decoder finds imported in its process is what a worker loads."""
    Path("spy.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom maxi_core.video.pyav_decoder import decode as real\n"
        "def decode(*given, **more):\n"
        "    names = [n for n in sys.modules if n.startswith('maxi_plugins.') or n in ('pydantic', 'pluggy')]\n"
        "    Path('seen').write_text(' '.join(names))\n"
        "    return real(*given, **more)\n"
    )
    options = VideoOptions(workers=1, decoder="spy:decode")
    [(_, frames)] = read_videos([Video("a", Path("clip.mp4"))], {"a": Sampling("uniform", 2)}, options)
    assert isinstance(frames, Frames)
    assert Path("seen").read_text() == ""
    names = "import sys; from maxi_core.video.decoders import load; load('maxi_plugins.pyav:PyAV', 'pyav')\n"
    names += "print(*sorted(n for n in sys.modules if n.startswith('maxi_plugins.') or n == 'pydantic'))"
    done = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True)
    assert done.stdout == "maxi_plugins.pyav\n"
