"""What it means: a spec turned into text. Pure functions, no I/O, no clock, no probing."""
