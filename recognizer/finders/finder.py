"""The interface of all region finders."""

from recognizer.values import Box, Frame, Region


class RegionFinder:
    """Finds regions in frames. Subclasses implement `find`."""

    video: bool = False  # the frames belong to one stream
    guide_box: Box | None = None  # where the user should hold the subject, while none is found

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """The regions of a frame in reading order, `()` if there are none."""
        raise NotImplementedError

    def uses(self, other: "RegionFinder") -> bool:
        """Whether this finder uses `other`, which several finders may share."""
        return False

    def close(self) -> None:
        """Release resources, such as threads of a native library."""
