"""A checkpoint means one temporal module, of one distribution or file, and no other that is called the same."""

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maxi_core.clip.checkpoints import checkpoints_of, read_about, read_weights
from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.plugin.catalog import Catalog, discover
from maxi_core.recipe.plugin_files import with_files
from tests.training.test_train_command import SMALL

Maxi = Callable[..., Any]
MODULE = """
    from maxi_core import Options, Temporal, hookimpl
    from pydantic import Field

    class Mine(Temporal):
        '''Weighs the frames.'''
        name = "{name}"

        class Options(Options):
            scale: float = Field(1.0, description="how much")

        def attach(self, visual, frames):
            import torch

            class Weighing(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.weight = torch.nn.Parameter(torch.zeros(visual.output_dim))

                def forward(self, features):
                    return features.mean(1) * (1 + self.weight)

            return Weighing()

    @hookimpl
    def maxi_register_temporal():
        return [Mine]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a plugin file with a temporal module of that name."""

    def written(name: str) -> Path:
        path = tmp_path / "mine.py"
        path.write_text(textwrap.dedent(MODULE.format(name=name)))
        return path

    return written


def train(maxi: Maxi, world: Path, out: Path, *more: object) -> Any:
    return maxi(
        *("train", world / "run", "--model", world / "model", "--out", out, *SMALL, "--epochs", "1", "-q", *more)
    )


@pytest.mark.parametrize("name", ["mean", "crossframe"])
def test_a_module_from_a_file_that_is_called_as_maxis_is_attached_and_found_again(
    world: Path, tmp_path: Path, maxi: Maxi, write: Callable[[str], Path], name: str, logged: list[str]
) -> None:
    file, out = write(name), tmp_path / "out"
    both = train(maxi, world, out, "--plugin", file, "--temporal", name)
    assert both.code == 2
    assert f"'{name}' is offered by maxi " in both.err
    ran = train(maxi, world, out, "--plugin", file, "--temporal", f"file:{name}", "-o", f"file:{name}.scale=2")
    assert ran.code == 0, ran.err
    checkpoint = checkpoints_of(out)[-1]
    about = read_about(checkpoint)
    digest = with_files(discover(only=[]), [file]).find(f"file:{name}").version
    assert about["temporal"] == {"name": f"file:{name}", "version": digest, "options": {"scale": 2.0}}
    assert "temporal.weight" in read_weights(checkpoint)
    recipe = (out / "recipe.toml").read_text()
    assert f'temporal = "file:{name}"' in recipe
    assert f'"file:{name}" = "{digest}"' in recipe

    needed = f"trained with the temporal module 'file:{name}' {digest} .*; type --plugin FILE"
    with pytest.raises(UsageError, match=needed):
        load_model(str(out), "cpu", catalog=discover(only=[]))
    loaded = load_model(str(out), "cpu", catalog=with_files(discover(only=[]), [file]))
    assert loaded.temporal == about["temporal"]
    assert not [line for line in logged if "here is" in line]
    file.write_text(file.read_text() + "\n# changed\n")
    changed = with_files(discover(only=[]), [file])
    load_model(str(out), "cpu", catalog=changed)
    now = changed.find(f"file:{name}").version
    assert logged[-1] == f"trained with file:{name} {digest}, and here is {now}"


def test_a_checkpoint_without_a_temporal_module_says_null(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    ran = train(maxi, world, tmp_path / "out")
    assert ran.code == 0, ran.err
    assert read_about(checkpoints_of(tmp_path / "out")[-1])["temporal"] is None
    assert load_model(str(tmp_path / "out"), "cpu").temporal is None
    assert load_model(str(tmp_path / "out"), "cpu").identity
    again = train(maxi, world, tmp_path / "out", "--resume", "latest")
    assert again.code == 0, again.err
    other = train(maxi, world, tmp_path / "out", "--resume", "latest", "--temporal", "mean")
    assert other.code == 2
    assert 'temporal: was null, is {"name": "maxi:mean"' in other.err


def test_mean_is_attached_and_remembered_like_any_other(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    ran = train(maxi, world, tmp_path / "out", "--temporal", "mean")
    assert ran.code == 0, ran.err
    about = read_about(checkpoints_of(tmp_path / "out")[-1])
    assert (about["temporal"]["name"], about["temporal"]["options"]) == ("maxi:mean", {})
    loaded = load_model(str(tmp_path / "out"), "cpu")  # without a catalog: that of the installed plugins
    assert loaded.temporal is not None
    assert loaded.temporal["name"] == "maxi:mean"


def test_a_strangers_module_that_is_not_installed_is_asked_for(
    world: Path, tmp_path: Path, maxi: Maxi, fake_dist: Callable[..., Path]
) -> None:
    fake_dist("strange", MODULE.format(name="crossframe"), version="3.0")
    ran = train(maxi, world, tmp_path / "out", "--temporal", "strange:crossframe")
    assert ran.code == 0, ran.err
    needed = "temporal module 'strange:crossframe' 3.0 .*'strange', which is not here; pip install strange"
    ours = Catalog(tuple(plugin for plugin in discover().plugins if plugin.dist == "maxi"))
    with pytest.raises(UsageError, match=needed):
        load_model(str(tmp_path / "out"), "cpu", catalog=ours)


@pytest.mark.parametrize("temporal", [{"name": "mean", "options": {}}, {"name": "maxi:mean"}, "mean", []])
def test_a_checkpoint_that_names_no_distribution_is_refused(
    world: Path, tmp_path: Path, maxi: Maxi, temporal: object
) -> None:
    ran = train(maxi, world, tmp_path / "out")
    assert ran.code == 0, ran.err
    path = checkpoints_of(tmp_path / "out")[-1] / "maxi.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temporal": temporal}))
    with pytest.raises(UsageError, match="does not say of which distribution its temporal module is.*train it again"):
        load_model(str(tmp_path / "out"), "cpu")
