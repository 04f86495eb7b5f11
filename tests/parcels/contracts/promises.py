"""What is promised about tables of parcels, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.promises import Labels, Promises
from tests.parcels.contracts.arrivals import ARRIVALS
from tests.parcels.contracts.parcels import PARCELS
from tests.parcels.contracts.trips import TRIPS

PROMISES = Promises(truth=PARCELS, labels=Labels(ARRIVALS, key=("parcel_id",)), made=(TRIPS,))
