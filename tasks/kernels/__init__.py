"""Arrays in, arrays out: numpy and numba only, no Arrow, no Prefect, no settings."""
