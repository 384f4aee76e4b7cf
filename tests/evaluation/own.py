"""A small benchmark of one's own, and what servers and notebooks leave beside files."""

from pathlib import Path


def own(folder: Path, split: str, labels: str = "id,name\n0,walk\n1,run fast\n") -> Path:
    (folder / "labels.csv").write_text(labels)
    (folder / "split.txt").write_text(split)
    return folder


JUNK = ("._{}", ".ipynb_checkpoints/{}", "@eaDir/{}", "__MACOSX/sub/._{}", "lost+found/{}", "#recycle/{}")


def litter(folder: Path, *names: str) -> None:
    """Leave beside files what servers and notebooks do: others of the same name in hidden places, and no text."""
    for name in names:
        for junk in JUNK:
            path = folder / junk.format(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\0\x05\x16\x07")
