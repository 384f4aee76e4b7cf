"""`maxi show`: one text bag as the paper's figure 6 shows it, or the list of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxi_cli.flags import JsonFlag
from maxi_cli.terminal import plain_table, print_hanging, show_json, show_json_list, stdout, visible
from maxi_core.texts import counted, first_few

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from maxi_core.types import TextBag

LISTED = 20
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


def show(
    run: Annotated[Path, typer.Argument(help="Run folder of maxi bags.", show_default=False)],
    video: Annotated[str | None, typer.Argument(help="Id of a video, or a part that only its id has.")] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="Draw frames of the video too, where the terminal has colours.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Print the text bag of a video: match, what the sources said, and the texts by source.

    Example: maxi show runs/mine juggling.mp4
    """
    from maxi_core.bags.bag import as_record, read_bags
    from maxi_core.bags.run import find_bag, read_skipped
    from maxi_core.errors import UsageError
    from maxi_core.system.remote_folders import here

    run = here(run)
    if frames and (json or video is None):
        raise UsageError("--frames are of one video, on a terminal", "type maxi show RUN VIDEO --frames")
    if video is not None:
        bag = find_bag(run, video)
        if frames:
            from maxi_cli.blocks import show_frames

            show_frames(stdout(), bag.match.video)
        show_json(as_record(bag)) if json else _show_bag(bag, read_skipped(run), stdout())
    elif json:
        show_json_list({"schema": 1}, "bags", map(as_record, read_bags(run)))
    else:
        _show_list(read_bags(run), read_skipped(run), run)


def _show_list(bags: "Iterable[TextBag]", skipped: "list[dict[str, object]]", run: Path) -> None:
    table = plain_table("video", "match", "score", "texts", numbers=("score", "texts"))
    more = 0
    for number, bag in enumerate(bags):
        if number >= LISTED:
            more += 1
            continue
        texts = str(len(bag.texts)) if bag.kept else "not kept"
        table.add_row(visible(bag.match.video.id), visible(bag.match.entry), f"{bag.match.score:.4f}", texts)
    console = stdout()
    console.print(table)
    if left := [str(record["video"]) for record in skipped if record["stage"] == "match"]:
        console.print(visible(f"{len(left)} skipped: {first_few(left)}"), style="yellow", soft_wrap=True)
    console.print(visible(f"{f'and {more} more; ' if more else ''}one bag: maxi show {run} VIDEO"), soft_wrap=True)


def _show_bag(bag: "TextBag", skipped: "list[dict[str, object]]", console: "Console") -> None:
    match = bag.match
    console.print(visible(match.video.id), style="bold")
    print_hanging(console, f"match: {match.entry} ({match.score:.4f}){'' if bag.kept else ', not kept'}")
    if match.top:
        others = ", ".join(f"{entry} {score:.4f}" for entry, score in match.top[1:])
        print_hanging(console, f"then: {others or '-'}", "dim")
    names = list(dict.fromkeys([*(source for source, _ in bag.said), *(text.source for text in bag.texts)]))
    colour = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    for source, texts in bag.said:
        console.print("\n" + visible(f"{source} said"), style=f"bold {colour[source]}")
        for text in texts:
            print_hanging(console, text, colour[source], "  ")
    for record in skipped:
        if record["video"] in (match.video.id, match.entry):
            said = f"skipped at {record['stage']} by {record['source']}: {record['message']}"
            console.print(visible(said), style="yellow", soft_wrap=True)
    console.print(f"\ntext bag, {counted(len(bag.texts), 'text')}", style="bold")
    for name in names:
        own = [text for text in bag.texts if text.source == name]
        if own:
            shown = ", ".join(f"{text.text}{'*' if text.also else ''}" for text in own)
            print_hanging(console, f"{name}: {shown}", colour[name], "  ")
    if any(text.also for text in bag.texts):
        console.print("  * another source said it too", style="dim")
