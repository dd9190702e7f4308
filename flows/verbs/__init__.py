"""The verbs of the command line, a module for those of one kind: `add` declares them, and each imports what it needs when it is called."""

from flows.verbs import completion, doctor, fit, init, override, report, rules, run, serve, snapshots, stories

KINDS = (init, run, stories, report, override, rules, snapshots, fit, serve, doctor, completion)
"""In the order of the help."""
