import data_contracts  # noqa: F401  before what is large
