"""The runtime of an export. `bundle` puts another one in its place."""

from recognizer.export.program.litert import LiteRtNetwork

Network = LiteRtNetwork
