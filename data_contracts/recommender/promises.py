"""What the recommender promises about its tables, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.promises import Promises
from data_contracts.recommender.events import EVENTS
from data_contracts.recommender.examples import EXAMPLES
from data_contracts.recommender.items import ITEM_COUNTS, ITEMS
from data_contracts.recommender.state import STATE

PROMISES = Promises(
    truth=EVENTS, made=(ITEMS, ITEM_COUNTS, EXAMPLES, STATE), defaults={"event": "view"}, subject="user_id"
)
