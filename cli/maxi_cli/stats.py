"""`maxi stats`: what the text bags of a run are like."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.flags import JsonFlag, offering, read_catalog
from maxi_cli.terminal import plain_table, show_json, stdout, visible
from maxi_core.texts import counted

if TYPE_CHECKING:
    from rich.console import Console

    from maxi_core.bags.stats import Stats, WordUse

SCHEMA = 1
BAR = 40  # columns of the longest bar of the histogram
LISTED = 20
NUMBERS = ("texts", "videos", "score from", "matched right", "bags", "of")  # columns


def stats(
    run: Annotated[Path, typer.Argument(help="Run folder of maxi bags.", show_default=False)],
    word: Annotated[str | None, typer.Option(help="Show which entries' bags hold this word, and from whom.")] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="CSV video,label, split list, or sandbox: gives the matching accuracy.",
            autocompletion=offering("world.labels"),
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Count sizes, sources, empty bags, scores, and the share that is kept.

    Example: maxi stats runs/mine --word wave
    """
    from maxi_core.bags.bag import read_bags
    from maxi_core.bags.run import read_skipped
    from maxi_core.bags.stats import collect, named_labels, word_uses
    from maxi_core.system.remote_folders import here

    run = here(run)
    if word is not None:
        uses = word_uses(read_bags(run), word)
        show_json({"schema": SCHEMA, "word": word, "uses": [asdict(use) for use in uses]}) if json else _uses(
            word, uses
        )
        return
    found = collect(read_bags(run), named_labels(labels, read_catalog()) if labels else None)
    skipped = sum(record["stage"] == "match" for record in read_skipped(run))
    if json:
        show_json({"schema": SCHEMA, **found.as_record(), "skipped": skipped})
    else:
        _show(found, skipped, stdout())


def _show(found: "Stats", skipped: int, console: "Console") -> None:
    more = f"; {skipped} more skipped: maxi show tells which" if skipped else ""
    console.print(
        f"{counted(found.videos, 'video')}, {found.kept} kept, {counted(len(found.entries), 'entry')} matched{more}"
    )
    if found.sizes:
        mean = sum(found.sizes) / len(found.sizes)
        console.print(
            f"{mean:.1f} texts in a bag ({min(found.sizes)} to {max(found.sizes)}), {counted(found.empty, 'bag')} empty"
        )
    sources = plain_table("source", "texts", numbers=NUMBERS)
    for source, count in found.sources.most_common():
        sources.add_row(visible(source), str(count))
    console.print(sources)
    labelled = any(share.right is not None for share in found.shares)
    titles = ("keep", "videos", "score from", *(["matched right"] if labelled else []))
    shares = plain_table(*titles, numbers=NUMBERS)
    same = len(found.scores) > 1 and min(found.scores) == max(found.scores)
    for share in found.shares[: 1 if same else None]:
        right = "-"
        if share.right is not None and share.labelled:
            right = f"{share.right} of {share.labelled} ({share.right / share.labelled:.1%})"
        shares.add_row(f"{share.keep:g}", str(share.videos), f"{share.threshold:.4f}", *([right] if labelled else []))
    console.print()
    console.print(shares)
    if same:
        console.print("\nall scores are the same, so no share of the videos is the best")
        return
    console.print("\nscores")
    most = max((count for _, _, count in found.histogram()), default=0) or 1
    for low, high, count in found.histogram():
        console.print(f"  {low:7.4f} to {high:7.4f} {'#' * round(BAR * count / most)} {count}")


def _uses(word: str, uses: "list[WordUse]") -> None:
    console = stdout()
    if not uses:
        console.print(visible(f"no bag holds '{word}'"))
        return
    table = plain_table("entry", "bags", "of", "from", numbers=NUMBERS)
    for use in uses[:LISTED]:
        sources = ", ".join(f"{source} {count}" for source, count in use.sources.items())
        table.add_row(visible(use.entry), str(use.videos), str(use.of), visible(sources))
    console.print(table)
    total = sum(use.videos for use in uses)
    console.print(visible(f"'{word}' stands in {counted(total, 'bag')} of {counted(len(uses), 'entry')}"))
