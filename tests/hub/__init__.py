"""A Hub on loopback, for tests of `push` with the real clients."""
