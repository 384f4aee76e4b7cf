"""The Hugging Face hub, asked anew: its file system remembers each folder that it listed, and lists it for one file."""

from collections.abc import Mapping
from typing import Any

from maxi_core.system.remote_clients import READ


def info(hub: Any, url: str) -> Mapping[str, Any]:
    """Return what the hub says of a file or folder now, in one request; raises FileNotFoundError."""
    from huggingface_hub import HfApi, get_session

    try:
        at = hub.resolve_path(url)
    except FileNotFoundError:
        hub.invalidate_cache()  # so that a repository that is made later is seen
        raise
    name = getattr(at, "path_in_repo", "")
    if not name:  # a repository; or a bucket of the hub's, which has no such request
        hub.invalidate_cache(url)
        found: Mapping[str, Any] = hub.info(url)
        return found
    api = HfApi(endpoint=hub.endpoint, token=hub.token)
    get_session().timeout = READ  # where the request itself sets none it waits for ever
    said = api.get_paths_info(at.repo_id, [name], revision=at.revision, repo_type=at.repo_type)
    if not said:
        raise FileNotFoundError(url)
    size, blob = getattr(said[0], "size", None), getattr(said[0], "blob_id", None)
    return {"size": 0, "type": "directory"} if blob is None else {"size": size, "type": "file", "blob_id": blob}


def find(hub: Any, url: str) -> Mapping[str, Any]:
    """Return what the hub says of all files below a folder now."""
    hub.invalidate_cache()
    found: Mapping[str, Any] = hub.find(url, detail=True)
    return found
