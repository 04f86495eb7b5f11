"""What is promised about tables of transactions, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.promises import Promises
from data_contracts.risk.examples import EXAMPLES
from data_contracts.risk.parties import PARTIES
from data_contracts.risk.sums import PAIRS, PARTY_DAYS
from data_contracts.risk.transactions import TRANSACTIONS

PROMISES = Promises(truth=TRANSACTIONS, made=(PARTIES, PAIRS, PARTY_DAYS, EXAMPLES))
