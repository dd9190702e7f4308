"""Speed and quality figures, one command each: see README.md beside this file."""
