"""Bags of videos in an archive: those of the files, asked once, and shown by name."""

import tarfile

from maxi_core.errors import ExitCode
from tests.bags.conftest import World


def test_bags_of_an_archive_are_those_of_its_files_and_are_paid_once(world: World) -> None:
    names = sorted(path.name for path in world.videos.iterdir())
    shard = world.folder / "000.tar"
    with tarfile.open(shard, "w") as tar:
        for name in names:
            tar.add(world.videos / name, name)
    assert world.bags("-q").code == ExitCode.DONE
    files = world.records()
    world.asked()
    words = [str(shard) if word == str(world.videos) else word for word in world.arguments("-q")]
    held = world.folder / "held"
    words[words.index(str(world.out))] = str(held)
    ran = world.maxi(*words)
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    records = world.records(held)
    assert [record["video"] for record in records] == [f"000.tar/{name}" for name in names]
    assert [record["path"] for record in records] == [f"{shard}/{name}" for name in names]
    assert [len(record["said"]) for record in records] == [len(record["said"]) for record in files]
    asked = world.asked()
    assert asked["toyblip"] == len(names)
    assert world.maxi(*words, "--overwrite").code == ExitCode.DONE
    assert world.asked() == {}
    assert f"000.tar/{names[2]}" in world.maxi("show", held, names[2]).out
