"""From a settled recipe to a job."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.bags.askers import Sources, store_about, store_name
from maxi_core.bags.manifest import is_run
from maxi_core.bags.run import ENTRIES, Job
from maxi_core.bags.shard import FOLDER
from maxi_core.dictionaries import read_dictionary, spelt
from maxi_core.errors import UsageError
from maxi_core.plugin.calls import inject
from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.engine import Engine
from maxi_core.plugin.engine_calls import check, cores_of, is_apart
from maxi_core.plugin.roles import Augmenter, Captioner, Expander, Filter, Injector, Matcher
from maxi_core.plugin.world_paths import videos_of
from maxi_core.recipe.recipe import Recipe, sources_of
from maxi_core.settings.sections import BagsSection, SourcesSection, VideoOptions
from maxi_core.system.replacing import refuse_among_videos, refuse_read
from maxi_core.system.store import Store, digest, store_at
from maxi_core.system.urls import is_remote, refuse_remote
from maxi_core.types import Dictionary
from maxi_core.video.inputs import VideoList

if TYPE_CHECKING:
    from maxi_core.bags.by_engine import ByEngine
    from maxi_core.system.remote_folders import Upload

SHARED = "give each share an --out here and all one --store, then run once without --shard"

# The dictionary after an injector, which is asked once for all runs, since it may read a million captions.


def injected(
    source: Injector,
    dictionary: Dictionary,
    augmenter: Augmenter | None,
    store: Path,
    reading: VideoOptions,
    *,
    keep: bool = True,
) -> Dictionary:
    """Return what the injector makes of the dictionary, from the store if it was asked before.

    It is known by its options, its fingerprint, the augmenter's, and the dictionary. Without `keep` nothing is written.
    """
    about = store_about(source, reading, store_about(augmenter, reading) if augmenter else None)
    key = digest(dictionary.name, dictionary.entries)
    with Store(store / store_name(about), about) as part:
        if (kept := part.get(key)) is not None:
            assert isinstance(kept, dict)
            return Dictionary(kept["name"], tuple(kept["entries"]))
        made = inject(source, dictionary, augmenter)
        if keep:
            part.put(key, dictionary.name, {"name": made.name, "entries": list(made.entries)})
        return made


def _asked(section: BagsSection, video: VideoOptions) -> dict[str, object]:
    """Return what was typed for the videos, and where that is from here."""
    typed = [section.videos] if isinstance(section.videos, str) else list(section.videos or ())
    places = [*typed, str(section.root or "")]
    cut = {"clip_seconds": video.clip_seconds, "allow_outside_root": video.allow_outside_root}
    return {"typed": places, "at": list(map(os.path.realpath, places)), **cut}


def make_job(
    catalog: Catalog,
    recipe: Recipe,
    argv: tuple[str, ...] = (),
    *,
    strict: bool = False,
    overwrite: bool = False,
    dry: bool = False,
    shared: bool = False,
) -> Job:
    """Find the videos, read the dictionary and make the sources that the recipe names.

    Raises UsageError for anything that is not there, in one line; no source is asked anything but an injector, whose
    answer is kept unless it is a `dry` run. `shared` says that this is a share of a run: its list of videos is kept
    beside the shares, so that the next one need not look for them.
    """
    recipe.require(("bags.videos", "bags.dictionary", "bags.out"))
    section, video = recipe.core("bags", BagsSection), recipe.core("video", VideoOptions)
    assert section.videos is not None
    assert section.dictionary is not None
    assert section.out is not None
    video.located().load()  # a decoder that is not there is an error now, and not after a model was loaded
    refuse_remote(video.frame_cache)
    store, upload = store_at(section.store), _upload(section.out)
    out = upload.folder if upload else section.out
    _check_place(out, section)
    if upload and shared:
        raise UsageError(f"{upload.at} is made by one process, and --shard has many in one folder", SHARED)
    if upload and not dry:
        upload.begin()
    settled = recipe.to_toml()  # what it cannot hold is an error now
    find = partial(
        videos_of,
        catalog,
        section.videos,
        section.root,
        video.clip_seconds,
        allow_outside_root=video.allow_outside_root,
    )
    videos = _listed(out, section, video, find, write=not dry) if shared else find()
    sources = make_sources(catalog, recipe)
    engine = recipe.make(catalog, section.engine)
    assert isinstance(engine, Engine)
    check(engine)
    dictionary = spelt(read_dictionary(section.dictionary, catalog), section.names)
    injector = recipe.core("sources", SourcesSection).injector
    if injector != "none":
        source = recipe.make(catalog, injector)
        assert isinstance(source, Injector)
        dictionary = injected(source, dictionary, sources.augmenter, store, video, keep=not dry)
    answer = _by_engine(engine, catalog, recipe, dictionary, strict=strict) if is_apart(engine) else None
    return Job(
        videos,
        dictionary,
        sources,
        out,
        store,
        section.keep,
        settled,
        argv,
        video.max_skipped,
        strict,
        overwrite,
        answer,
        upload,
    )


def _check_place(out: Path, section: BagsSection) -> None:
    """Raise UsageError where the files of a run would lie beside the videos, or on the dictionary that it reads."""
    if not out.is_dir() or is_run(out):  # what is no folder, whoever writes says
        return
    refuse_among_videos(out)
    refuse_read(out / ENTRIES, "--out", [Path(section.dictionary)] if section.dictionary else [])


def _upload(out: Path) -> "Upload | None":
    """Return where the run folder belongs, if that is a server."""
    if not is_remote(out):
        return None
    from maxi_core.system.remote_folders import upload_to

    return upload_to(out)


def _listed(
    out: Path, section: BagsSection, video: VideoOptions, find: Callable[[], VideoList], *, write: bool
) -> VideoList:
    """Return the videos as the first share found them."""
    from maxi_core.video.listing import listed

    return listed(out / FOLDER, _asked(section, video), find, write=write)


def _by_engine(
    engine: Engine, catalog: Catalog, recipe: Recipe, dictionary: Dictionary, *, strict: bool
) -> "ByEngine | None":
    """Return who has the sources asked by workers of an engine."""
    from maxi_core.bags.answering import work_of
    from maxi_core.bags.by_engine import ByEngine

    work = work_of(catalog, recipe, dictionary, cores_of(engine), strict=strict)
    return ByEngine(engine, work) if work else None


def make_sources(catalog: Catalog, recipe: Recipe) -> Sources:
    """Make the sources that a settled recipe names, but for an injector."""
    named = sources_of(recipe.core("sources", SourcesSection))
    made = [recipe.make(catalog, name) for part, name in named if part.key != Injector.role]
    return Sources(
        next(source for source in made if isinstance(source, Matcher)),
        tuple(source for source in made if isinstance(source, (Expander, Captioner))),
        next((source for source in made if isinstance(source, Augmenter)), None),
        recipe.core("video", VideoOptions),
        recipe.core("bags", BagsSection).shortened,
        tuple(source for source in made if isinstance(source, Filter)),
    )
