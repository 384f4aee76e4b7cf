"""Files and folders that file systems, servers and notebooks leave beside those of a person, who does not see them."""

# what begins with a dot is hidden anyway
SERVERS = ("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "~snapshot", "lost+found")
SYSTEMS = ("__macosx", "network trash folder", "temporary items", "$recycle.bin", "system volume information")
FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__pycache__")
NAMES = frozenset((*SERVERS, *SYSTEMS, *FILES))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is passed over where a folder is searched; one that is named is taken."""
    return name.startswith((".", "~$")) or name.casefold() in NAMES
