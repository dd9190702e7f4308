"""The verbs of the command line, a module for those of one kind: `add` declares them, and each imports what it needs when it is called."""

from flows.verbs import fit, report, rules, run, serve, snapshots, stories

KINDS = (run, stories, report, rules, snapshots, fit, serve)
"""In the order of the help."""
