"""What can go wrong when events become features. No features are published by a night that raises one of these.

Its events, and what they quarantined, are in their tables already: a night that runs again goes on from there.

Errors of this room::

    PreprocessError
    ├── TooFewTargetsError    the first night's logs cannot fill a past and a window that judges
    ├── OtherFeaturesError    the tables were made with other features, or by another protocol
    ├── OutOfOrderError       the events asked for lie before those the tables have, or were rewritten
    ├── NoNewEventsError      there are no events to make the first features of
    └── RowsLostError         rows went in that did not come out: a fault of the program or the machine
"""

from __future__ import annotations


class PreprocessError(Exception):
    """Events did not become features. Trying again changes nothing."""


class TooFewTargetsError(PreprocessError):
    """The logs are too small for a past and a window that judges."""


class OtherFeaturesError(PreprocessError):
    """The tables were made with other features, or by another protocol."""


class OutOfOrderError(PreprocessError):
    """The events asked for lie before those the tables have, or were rewritten."""


class NoNewEventsError(PreprocessError):
    """There are no events to make the first features of."""


class RowsLostError(PreprocessError):
    """Rows went in that did not come out."""
