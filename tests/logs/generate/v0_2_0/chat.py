"""The `null` harness of verifiers 0.2.0 with its program held to mcp 1.

That program takes any mcp, but reads `inputSchema`, which mcp 2 renamed.
"""

from verifiers.v1.harnesses.null import harness
from verifiers.v1.harnesses.null.harness import NullHarness

harness.PROGRAM_SOURCE = harness.PROGRAM_SOURCE.replace('"mcp"', '"mcp<2"')

__all__ = ["NullHarness"]
