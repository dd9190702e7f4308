"""The rooms: one module a stage, and what they share."""
