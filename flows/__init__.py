"""The flow and the command line: what happens, in which order."""
