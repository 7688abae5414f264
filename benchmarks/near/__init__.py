"""What `benchmarks.dedupe` measures with: a corpus of known duplicates, peers and ours, and how they are run."""
