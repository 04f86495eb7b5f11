"""What a registered version carries in MLflow, and the names it goes by.

Tags are written once: by `register` when it makes the version, by `promote` when it decides about it, and by `deploy`
when it puts it in service. Where a person decides, `promote` writes `WAITING`, and the answer ends that. Aliases move:
`promote` moves `CHALLENGER`, `deploy` moves `CHAMPION`.
"""

from __future__ import annotations

CHAMPION = "champion"
"""Alias of the version in service, which a server that starts loads."""
CANDIDATE = "candidate"
"""What evidence calls tonight's model, which has no version yet. Who is neither a version nor a rival is a baseline."""
ANCHOR = "anchor"
"""What evidence calls the best of the champions before, which no successor may fall too far below."""
CHALLENGER = "challenger"
"""Alias of the version decided about last."""

NIGHT = "nightshift.night"
"""Tag of `register`, and of the run: the `Night` it was trained and judged in, JSON."""
TRAINED_THROUGH = "nightshift.trained_through"
"""Tag of `register`, and of the run: key of the newest window it was trained on."""
TABLE_IDS = "nightshift.table_ids"
"""Tag of `register`: name of each of the night's tables to its id, JSON. A table made anew has another id."""
CHOSEN = "nightshift.chosen"
"""Tag of `register`: the contestant that it is, `CANDIDATE` or a rival."""
METRICS = "nightshift.metrics"
"""Tag of `register`: contestant to metric to value, JSON."""
EXAMPLE = "nightshift.example"
"""Tag of `register`: a request as people would ask it, JSON."""
GIT_COMMIT = "nightshift.git_commit"
"""Tag of `register`: where this code was checked out."""

PREVIOUS = "nightshift.previous"
"""Tag of `promote`: the champion before; empty when there was none."""
ANCHORED = "nightshift.anchor"
"""Tag of `promote`: number of the version that, were this one champion, would be the anchor."""
REASON = "nightshift.reason"
"""Tag of `promote`, for people; the answer to a question adds who said what, `deploy` why it cannot be served."""
PROMOTED = "nightshift.promoted"
"""Tag of `promote`, its last: ``true``, ``false`` or `WAITING`; `deploy` takes it back where it cannot be served."""
WAITING = "waiting"
"""What `PROMOTED` says while a person is asked: the gate let the version through, and nobody answered yet."""
ANSWER = "nightshift.answer"
"""Tag of `promote`: the `data_contracts.night.Answer` of the person who was asked, JSON."""

FORGOTTEN = "nightshift.forgotten"
"""Tag of `forget`: since when, ISO 8601, people are forgotten whom it learned from. No training starts from it."""

DEPLOYED = "nightshift.deployed"
"""Tag of a version that became champion. It happens once: whoever moves the alias back later is not overruled."""
