"""What a file system's own words say of a file: which it is, and when it was written."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from tasks.ingest.links import Info

_CHANGE_KEYS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "updated", "created")
_WRITTEN_KEYS = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


def transaction(uri: str, info: Info) -> str:
    """Return the name under which a file is remembered: another one once it was written again."""
    changed = next((info[key] for key in _CHANGE_KEYS if info.get(key) is not None), "")
    identity = f"{uri}\n{info.get('size')}\n{changed}"
    return f"file:{hashlib.sha256(identity.encode()).hexdigest()}"


def written(info: Info) -> datetime | None:
    """Return the moment, UTC, at which a file system says that a file was last written."""
    said = next((info[key] for key in _WRITTEN_KEYS if info.get(key) is not None), None)
    if isinstance(said, int | float):
        return datetime.fromtimestamp(said, UTC)
    try:
        moment = datetime.fromisoformat(said) if isinstance(said, str) else said
    except ValueError:
        return None
    if not isinstance(moment, datetime):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
