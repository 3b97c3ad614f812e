"""A running guest copied and put back: forks, checkpoints, warm starts."""
