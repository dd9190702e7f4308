"""Speed and quality figures: `python -m bench quality`, `python -m bench race`; `make bench` runs both."""
