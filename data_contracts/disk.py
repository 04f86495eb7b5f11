"""A contracted Delta table as it lies on a disk: files that no version has, or that only old ones have, and its log."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable
from urllib.parse import unquote

import fsspec

from data_contracts.part import Part
from data_contracts.reading import ReadableTable

COMPACTED = "-compacted-"
"""In the names of files that upkeep wrote in the place of several."""


class TableOnDisk(ReadableTable):
    """One table, in a folder of its own; what no reader needs can be taken away."""

    def on_disk(self) -> dict[str, int]:
        """Bytes of every file of rows in the table's folder, of whichever version or of none, by its URI."""
        system, folder = fsspec.url_to_fs(self.uri)
        found = system.find(folder, detail=True) if system.exists(folder) else {}
        return {
            posixpath.join(self.uri, path.removeprefix(f"{folder}/")): int(told["size"])
            for path, told in found.items()
            if path.endswith(".parquet") and not path.startswith(f"{folder}/_delta_log/")
        }

    def discard(self, parts: Iterable[Part]) -> None:
        """Remove those of ``parts`` that no commit made visible."""
        visible = self.file_rows()
        system, folder = fsspec.url_to_fs(self.uri)
        for part in parts:
            if posixpath.join(self.uri, part.path) not in visible:
                system.rm(posixpath.join(folder, part.path))

    def remove_orphans(self, *, of_upkeep: bool = False) -> dict[str, int]:
        """Remove files that no version refers to: what a killed or refused night left. No night may be writing any.

        Args:
            of_upkeep: Whether those that upkeep wrote are removed, which works beside nights, instead of the others.

        Returns:
            Path inside the table's folder of each file removed to its size, bytes.
        """
        table = self._open()
        if table is None:
            return {}
        system, folder = fsspec.url_to_fs(self.uri)
        invisible = table.vacuum(0, enforce_retention_duration=False, full=True)
        left = set(invisible) - self._rewritten()
        orphans = sorted(path for path in left if (COMPACTED in path) == of_upkeep)
        removed = {path: int(system.size(posixpath.join(folder, path))) for path in orphans}
        for path in orphans:
            system.rm(posixpath.join(folder, path))
        return removed

    def vacuum(self, versions: Iterable[int]) -> dict[str, int]:
        """Take files off the disk that neither the newest version has nor one of these; no other is readable then.

        Args:
            versions: That stay readable; those that are not there are none.

        Returns:
            URI of each file to its size, bytes.
        """
        newest = self.version()
        if newest is None:
            return {}
        kept = {file for version in {newest, *versions} if 0 <= version <= newest for file in self.file_rows(version)}
        written = {posixpath.join(self.uri, path) for path in self._rewritten()}
        gone = {file: size for file, size in self.on_disk().items() if file in written - kept}
        for file in gone:
            system, path = fsspec.url_to_fs(file)
            system.rm(path)
        return gone

    def checkpoint(self) -> None:
        """Write down what the newest version is, so that a table is opened without all commits before."""
        if (table := self._open()) is not None:
            table.create_checkpoint()

    def _rewritten(self) -> set[str]:
        """Return the files that older versions have and newer ones have not: of a table that was compacted by hand."""
        system, log = fsspec.url_to_fs(posixpath.join(self.uri, "_delta_log"))
        actions: list[dict[str, dict[str, str]]] = []
        for commit in system.ls(log, detail=False):
            if commit.endswith(".json"):
                with system.open(commit, "r", encoding="utf-8") as lines:
                    actions += (json.loads(line) for line in lines if '"remove"' in line)
        return {unquote(action["remove"]["path"]) for action in actions if "remove" in action}
