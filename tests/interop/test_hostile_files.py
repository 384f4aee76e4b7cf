"""Hostile files of weights: nothing in them runs, each is refused in one line, and none takes the machine with it."""

import argparse
import builtins
import io
import os
import pickle
import random
import struct
import subprocess
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from maxi_core.errors import UsageError
from maxi_core.interop.checkpoint_import import read_checkpoint
from maxi_core.interop.pickles import LARGEST
from maxi_core.interop.tensor_files import read_torch
from tests.interop.foreign import NAMESPACE, CfgNode, save

RAN = "ran"  # the file that a payload would leave


class Reduced:
    """Something whose pickle calls a function with arguments."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        self.parts = (call, args)

    def __reduce__(self) -> Any:
        return self.parts


class Gadget:
    """An object that would be given its attributes by a method of its own."""

    def __setstate__(self, state: Any) -> None:
        Path(RAN).touch()


def archive(data: bytes, **more: bytes) -> bytes:
    """Return a zip as torch.save writes it around the pickle `data`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/version", "3\n")
        for name, content in more.items():
            file.writestr(name.replace("__", "/"), content)
    return out.getvalue()


def saved(what: Any) -> bytes:
    out = io.BytesIO()
    torch.save(what, out)
    return out.getvalue()


TOUCH = f"touch {RAN}"
WEIGHTS = {"visual.proj": torch.ones(2, 2)}
GADGET = Gadget()
GADGET.__dict__["x"] = 1
DOTTED = b"\x80\x04\x8c\x05torch\x8c\x19_utils._rebuild_tensor_v2\x93."
INSIDE = b"\x80\x02cposix\nsystem\nX" + struct.pack("<I", len(TOUCH)) + TOUCH.encode() + b"\x85R."

DISGUISES: dict[str, bytes] = {
    "os.system": saved(Reduced(os.system, TOUCH)),
    "beside good weights": saved({"model": WEIGHTS, "epoch": Reduced(os.system, TOUCH)}),
    "eval": saved({"state_dict": WEIGHTS, "config": Reduced(eval, f"open('{RAN}', 'w')")}),
    "exec as old Python names it": archive(b"c__builtin__\nexec\n(X\x04\x00\x00\x00passtR."),
    "getattr": saved(Reduced(getattr, argparse.Namespace(), "x")),
    "a loader of bytes that is PyTorch's own": saved(Reduced(torch.storage._load_from_bytes, pickle.dumps(1))),
    "a module's own loader": saved(Reduced(torch.load, "x")),
    "subprocess": saved(Reduced(subprocess.Popen, ["touch", RAN])),
    "in a persistent id": archive(b"\x80\x02" + INSIDE[2:-1] + b"Q."),
    "a persistent id of a module": archive(b"\x80\x02(X\x06\x00\x00\x00modulecos\nsystem\n)NNtQ."),
    "in the arguments of a tensor": saved({"w": Reduced(torch._utils._rebuild_tensor_v2, Reduced(os.system, TOUCH))}),
    "a method that takes attributes": saved({"model": WEIGHTS, "config": GADGET}),
    "INST": archive(b"(S'" + TOUCH.encode() + b"'\nios\nsystem\n."),
    "OBJ": archive(b"(cos\nsystem\nS'" + TOUCH.encode() + b"'\no."),
    "OBJ of what may be named": archive(b"(cargparse\nNamespace\no."),
    "INST of what may be named": archive(b"(iargparse\nNamespace\n."),
    "a dotted name": archive(DOTTED),
    "a name with a way in it": archive(b"\x80\x04\x8c\x08builtins\x8c\x0egetattr.x.eval\x93)R."),
    "a name that is no text": archive(b"\x80\x04K\x01K\x02\x93."),
    "a name that is a list": archive(b"\x80\x04]]\x93."),
    "an extension's number": archive(b"\x80\x02\x82\x01."),
    "a buffer from elsewhere": archive(b"\x80\x05\x97."),
    "an object of the command's own": saved(Reduced(Path.unlink, Path(RAN))),
    "a callable among settings": saved({"config": NAMESPACE, "fn": builtins.print}),
    "a class of TorchScript outside of an archive": archive(b"\x80\x02c__torch__.m\nM\n)\x81}b."),
    "called types of numbers": archive(b"\x80\x02cbuiltins\nint\nX\x01\x00\x00\x001\x85R."),
    "a class called as a maker's": archive(
        b"\x80\x02ccopyreg\n_reconstructor\n" + b"cbuiltins\nobject\n" * 2 + b"N\x87R."
    ),
    "state for what takes none": archive(b"\x80\x02K\x01}b."),
    "a plain pickle of it": INSIDE,
    "a row of pickles, the first of it": pickle.dumps(Reduced(os.system, TOUCH)),
    "a row of pickles, a later one of it": b"".join(
        pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    ) + INSIDE,
}  # fmt: skip


@pytest.mark.parametrize("name", DISGUISES)
def test_a_pickle_that_would_run_something_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "evil.pth"
    file.write_bytes(DISGUISES[name])
    with pytest.raises(UsageError) as caught:
        read_checkpoint(file)
    assert "\n" not in str(caught.value)
    assert "evil.pth" in str(caught.value)
    assert not (tmp_path / RAN).exists()


def test_the_refusal_names_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(DISGUISES["beside good weights"])
    with pytest.raises(UsageError, match=r"a\.pth names posix\.system, which is no tensor"):
        read_checkpoint(tmp_path / "a.pth")
    (tmp_path / "a.pth").write_bytes(DISGUISES["a dotted name"])
    with pytest.raises(UsageError, match=r"names torch\._utils\._rebuild_tensor_v2, which is no"):
        read_checkpoint(tmp_path / "a.pth")


def nested(depth: int) -> bytes:
    return b"\x80\x02" + b"(" * depth + b"." * 1


def doubling() -> bytes:
    """Return a pickle that joins a text with itself again and again."""
    twice = b"h\x00cpathlib\nPosixPath\nh\x01h\x01\x86Rq\x01"
    return b"\x80\x02X\x08\x00\x00\x00aaaaaaaaq\x00q\x01" + twice.replace(b"h\x00", b"") * 60 + b"."


def copying() -> bytes:
    """Return a pickle that makes a table of many entries again and again out of one in its memo."""
    keys = b"".join(b"J" + struct.pack("<i", number) + b"N" for number in range(200_000))
    return b"\x80\x02}(" + keys + b"uq\x00" + b"cargparse\nNamespace\n)\x81h\x00b" * 50_000 + b"."


def wide() -> bytes:
    """Return a pickle with a tensor of very many dimensions."""
    shape = b"(" + b"K\x01" * 100_000 + b"t"
    head = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
    )
    return head + b"X\x03\x00\x00\x00cpuK\x01tQK\x00" + shape + shape + b"\x89NtR."


BOMBS: dict[str, Callable[[], bytes]] = {
    "a length beyond all memory": lambda: archive(b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x."),
    "a length beyond the signed": lambda: archive(b"\x80\x04\x8d" + struct.pack("<Q", 2**64 - 1) + b"x."),
    "a negative length": lambda: archive(b"\x80\x02\x8b" + struct.pack("<i", -5) + b"."),
    "a long number": lambda: archive(b"L" + b"9" * 3_000_000 + b"L\n."),
    "a place in the memo beyond all": lambda: archive(b"\x80\x02K\x01r\xff\xff\xff\xff0j\x00\x00\x00\x00."),
    "marks and no end": lambda: archive(nested(300_000)),
    "lists in lists": lambda: archive(b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b"."),
    "a text that doubles": lambda: archive(doubling()),
    "a table that is copied": lambda: archive(copying()),
    "a tensor of many dimensions": lambda: archive(wide()),
    "a long pickle": lambda: archive(b"\x80\x02" + b"N0" * LARGEST + b"N."),
    "a key that is a list": lambda: archive(b"\x80\x02}]K\x01s."),
    "a key of tuples in tuples": lambda: archive(b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s."),
    "nothing": lambda: archive(b""),
    "an end and nothing": lambda: archive(b"."),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_would_become_a_large_one_is_refused_at_once(name: str, tmp_path: Path) -> None:
    file = tmp_path / "bomb.pth"
    file.write_bytes(BOMBS[name]())
    before = time.process_time()
    with pytest.raises(UsageError) as caught:
        read_checkpoint(file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert time.process_time() - before < 30


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    whole = saved({"visual.proj": torch.arange(6.0)})
    for now, then in ((b"K\x06\x85", b"K\x07\x85"), (b"cpuq\x06K\x06t", b"cpuq\x06K\xfft")):
        with zipfile.ZipFile(io.BytesIO(whole)) as file:
            (name,) = [one for one in file.namelist() if one.endswith("data.pkl")]
            data, numbers = file.read(name), file.read(name.replace("data.pkl", "data/0"))
        assert now in data
        (tmp_path / "far.pth").write_bytes(archive(data.replace(now, then), archive__data__0=numbers))
        with pytest.raises(UsageError, match="larger than its storage|no numbers for one"):
            read_checkpoint(tmp_path / "far.pth").weights["visual.proj"].read()


@pytest.mark.parametrize("name", ["../../../evil", "/etc/evil", "a\\..\\evil", "archive/../../evil"])
def test_a_zip_with_entries_that_lead_out_is_refused_and_nothing_unpacked(name: str, tmp_path: Path) -> None:
    out = io.BytesIO(saved(WEIGHTS))
    with zipfile.ZipFile(out, "a") as file:
        file.writestr(name, b"evil")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "slip.pth").write_bytes(out.getvalue())
    with pytest.raises(UsageError, match="an entry that leads out of it"):
        read_checkpoint(tmp_path / "in" / "slip.pth")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "slip.pth"]


def test_a_zip_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    for name in ("archive/data.pkl", "archive/data/0"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, b"\x00" * (1 << 24))
            if name.endswith("0"):
                data = b"".join(part for part in [_pickle_of(WEIGHTS)])
                file.writestr("archive/data.pkl", data, zipfile.ZIP_STORED)
        (tmp_path / "bomb.pth").write_bytes(out.getvalue())
        with pytest.raises(UsageError, match="packed or encrypted"):
            read_checkpoint(tmp_path / "bomb.pth").weights["visual.proj"].read()


def _pickle_of(what: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(saved(what))) as file:
        return file.read(next(name for name in file.namelist() if name.endswith("data.pkl")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zips_that_pytorch_does_not_write_are_refused(tmp_path: Path) -> None:
    twice = io.BytesIO(saved(WEIGHTS))
    with zipfile.ZipFile(twice, "a") as file:
        file.writestr(file.namelist()[0], b"other")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("weights.npy", b"x")
    big = archive(_pickle_of(WEIGHTS), archive__byteorder=b"big")
    for content, says in (
        (twice.getvalue(), "one of them twice"),
        (other.getvalue(), "none of PyTorch"),
        (big, "big-endian"),
    ):
        (tmp_path / "odd.pth").write_bytes(content)
        with pytest.raises(UsageError, match=says):
            read_checkpoint(tmp_path / "odd.pth")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 50_000_000) + b"{}",
        struct.pack("<Q", 2) + b"{}" * 9,
        struct.pack("<Q", 62) + b'{"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}'[:62],
        b'\x3e\x00\x00\x00\x00\x00\x00\x00{"w":{"dtype":"F32","shape":[99999999],"data_offsets":[0,4]}} 1234',
        b"[" * 4096,
        b"",
    ],
)
def test_a_safetensors_file_with_an_absurd_header_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_checkpoint(tmp_path / "w.safetensors")
    assert "\n" not in str(caught.value)
    assert "w.safetensors" in str(caught.value)


@pytest.mark.parametrize("form", ["zip", "row", "safetensors"])
def test_flipped_bytes_anywhere_are_an_error_of_one_line_or_harmless(form: str, tmp_path: Path) -> None:
    weights = {"visual.proj": torch.arange(4.0).view(2, 2), "a": torch.ones(1).half()}
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pt")
    if form == "safetensors":
        save_file(weights, path)
    else:
        save({"model": weights, "config": CfgNode(A=1), "epoch": 3}, path, zipped=form == "zip")
    whole, draw = path.read_bytes(), random.Random(5)
    for _ in range(300):
        flipped = bytearray(whole)
        for _ in range(draw.choice((1, 1, 3))):
            flipped[draw.randrange(len(whole))] = draw.randrange(256)
        path.write_bytes(flipped)
        with suppress(UsageError):
            for one in read_checkpoint(path).weights.values():
                one.read()


def test_tables_of_settings_plain_containers_and_tensors_of_every_kind_are_read(tmp_path: Path) -> None:
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16]
    tensors = {
        str(kind): torch.tensor([[1, 2], [3, 4]]).to(kind) for kind in [*kinds, torch.int8, torch.uint8, torch.bool]
    }
    tensors |= {"turned": torch.arange(6.0).view(2, 3).t(), "part": torch.arange(9.0)[3:5], "none": torch.ones(0, 3)}
    what = OrderedDict(
        state=tensors, config=CfgNode(A=CfgNode(B=[1, (2.5, None)])), args=NAMESPACE, own={1, 2}, size=torch.Size([2]),
        number=torch.tensor(2.5).double().numpy()[()], device=torch.device("cpu"), kind=torch.float16, more=b"\x00",
        parameter=torch.nn.Parameter(torch.ones(2)),
    )  # fmt: skip
    for zipped in (True, False):
        file = read_torch(save(what, tmp_path / "all.pt", zipped=zipped))
        found = file.tensors(file.content["state"])
        assert {key: value.shape for key, value in found.items()} == {k: tuple(v.shape) for k, v in tensors.items()}
        for key, value in tensors.items():
            assert torch.equal(found[key].read(), value)
            assert found[key].read().dtype == value.dtype
        assert file.content["config"].table["A"].table["B"] == [1, (2.5, None)]
        assert file.content["args"].table == {"lr": 1e-5, "path": "/data", "names": ["a"]}
        assert (file.content["number"], list(file.content["own"]), file.content["more"]) == (2.5, [1, 2], b"\x00")
        assert torch.equal(file.tensors(file.content)["parameter"].read(), torch.ones(2))
