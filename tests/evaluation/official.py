"""Annotation files in the official format of every benchmark, made from a listing: what a download would hold."""

import csv
import json
from collections import defaultdict
from pathlib import Path

from maxi_core.evaluation.benchmarks.lists import Listing


def ucf101(folder: Path, listing: Listing, split: str) -> None:
    (folder / "classInd.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(listing.classes, start=1)))
    lines = (f"{row.names[0]}/{row.stem}.avi\n" for row in listing.rows)
    (folder / f"testlist0{split}.txt").write_text("".join(lines))


def hmdb51(folder: Path, listing: Listing, split: str) -> None:
    files = defaultdict(list)
    for row in listing.rows:
        files[row.names[0].replace(" ", "_")].append(f"{row.stem}.avi 2 \n")
    for name, lines in files.items():
        more = ["never_tested.avi 0 \n", "for_training.avi 1 \n"]
        (folder / f"{name}_test_split{split}.txt").write_text("".join(lines + more))


def kinetics(folder: Path, listing: Listing, part: str) -> None:
    with (folder / "kinetics.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["label", "youtube_id", "time_start", "time_end", "split"])
        for row in listing.rows:
            video, start, end = row.stem.rsplit("_", 2)
            table.writerow([row.names[0], video, int(start), int(end), part])


def ssv2(folder: Path, listing: Listing) -> None:
    labels = {name: str(number) for number, name in enumerate(listing.classes)}
    (folder / "something-something-v2-labels.json").write_text(json.dumps(labels))
    entries = [
        {"id": row.stem, "label": "put a cup", "template": row.names[0].replace("something", "[something]")}
        for row in listing.rows
    ]
    (folder / "something-something-v2-validation.json").write_text(json.dumps(entries))


def charades(folder: Path, listing: Listing) -> None:
    codes = {name: f"c{number:03d}" for number, name in enumerate(listing.classes)}
    lines = (f"{code} {name.capitalize()}\n" for name, code in codes.items())
    (folder / "Charades_v1_classes.txt").write_text("".join(lines))
    with (folder / "Charades_v1_test.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "subject", "actions", "length"])
        for row in listing.rows:
            table.writerow([row.stem, "S1", ";".join(f"{codes[name]} 1.00 2.50" for name in row.names), "30.1"])
        table.writerow(["NOACT", "S1", "", "30.1"])


def moments(folder: Path, listing: Listing) -> None:
    written = {name: name.replace(" ", "+") for name in listing.classes}
    (folder / "moments_categories.txt").write_text(
        "".join(f"{written[name]},{number}\n" for number, name in enumerate(listing.classes))
    )
    lines = (f"{written[row.names[0]]}/{row.stem}.mp4,{written[row.names[0]]},3,0\n" for row in listing.rows)
    (folder / "validationSet.csv").write_text("".join(lines))
