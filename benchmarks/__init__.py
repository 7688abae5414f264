"""How fast, how much memory, how quick to start: `python -m benchmarks` measures all and writes README.md's table."""
