"""A use case of tests that has tables alone: vectors, rows of which a column holds lists of numbers."""
