"""What vision promises about its tables, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.promises import Promises
from data_contracts.vision.classes import CLASSES
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.images import IMAGES

PROMISES = Promises(truth=IMAGES, made=(CLASSES, EXAMPLES))
