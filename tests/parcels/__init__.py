"""A made-up use case, in a package of its own: how many hours a parcel takes, by how far it goes.

Nothing outside of it knows it: `use_case: tests.parcels` is all that names it. See docs/adding-a-use-case.md.
"""
