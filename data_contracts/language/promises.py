"""What language promises about its tables, as `data_contracts.promises` asks for it."""

from __future__ import annotations

from data_contracts.language.documents import DOCUMENTS
from data_contracts.language.examples import EXAMPLES
from data_contracts.language.symbols import SYMBOLS
from data_contracts.promises import Promises

PROMISES = Promises(truth=DOCUMENTS, made=(SYMBOLS, EXAMPLES))
