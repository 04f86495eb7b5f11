"""What is promised about tables of transactions, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.promises import Labels, Promises
from data_contracts.risk.examples import EXAMPLES
from data_contracts.risk.labels import LABELS
from data_contracts.risk.parties import PARTIES
from data_contracts.risk.sums import PAIRS, PARTY_DAYS
from data_contracts.risk.transactions import KEY, TRANSACTIONS

LATER = Labels(LABELS, key=(KEY.name,))
"""Labels that come by themselves."""

PROMISES = Promises(truth=TRANSACTIONS, labels=LATER, made=(PARTIES, PAIRS, PARTY_DAYS, EXAMPLES))
