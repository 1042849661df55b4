"""Groups regions into lines of text."""

from recognizer.values import Region


def reading_order(regions: list[Region]) -> list[Region]:
    """The regions sorted by line from top to bottom, then from left to right."""
    return [region for line in text_lines(regions) for region in line]


def text_lines(regions: list[Region]) -> list[list[Region]]:
    """Lines of neighbouring regions from top to bottom, each sorted from left to right."""
    lines: list[list[Region]] = []
    for region in sorted(regions, key=lambda region: region.box.x1):
        best, best_overlap = None, 0.35  # of the smaller height, since digits of one line differ in height and position
        for line in lines:
            last = line[-1].box
            overlap = min(last.y2, region.box.y2) - max(last.y1, region.box.y1)
            share = overlap / min(last.height, region.box.height)
            gap = region.box.x1 - last.x2
            if share > best_overlap and gap < 2.5 * max(last.height, region.box.height):
                best, best_overlap = line, share
        if best is None:
            lines.append([region])
        else:
            best.append(region)
    return sorted(lines, key=lambda line: sum(region.box.center_xy[1] for region in line) / len(line))
