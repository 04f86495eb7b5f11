"""What vision promises about its tables, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.promises import Labels, Promises
from data_contracts.vision.classes import CLASSES
from data_contracts.vision.examples import EXAMPLES
from data_contracts.vision.images import IMAGES
from data_contracts.vision.labels import LABELS

LATER = Labels(LABELS, key=("image_id",))
"""Labels that come by themselves."""

PROMISES = Promises(truth=IMAGES, labels=LATER, made=(CLASSES, EXAMPLES), subject="subject_id")
