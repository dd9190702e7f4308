"""A page, taken apart: tree, blocks, measures, choice; what it says of itself; what it carries as data."""
