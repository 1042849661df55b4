"""The interface of a region finder."""

from recognizer.values import Box, Frame, Region


class RegionFinder:
    """Finds regions in frames. All but `find` has a default."""

    video: bool = False  # its frames are of one stream, and follow each other
    guide_box: Box | None = None  # where to hold something, while nothing is found

    def find(self, frame: Frame) -> tuple[Region, ...]:
        """The regions of a frame, `()` where there are none."""
        raise NotImplementedError

    def uses(self, other: "RegionFinder") -> bool:
        """Whether it uses the other finder, which several may share."""
        return False

    def close(self) -> None:
        """Release resources, such as MediaPipe's threads."""
