"""What was seen, as JSON: the same words on the command line and over HTTP."""

from typing import Any

from recognizer.values import Observation, Prediction, Region

DECIMALS = 4  # of a share: more would tell apart what no picture does


def as_json(observation: Observation) -> dict[str, Any]:
    """The text, and the regions in reading order."""
    regions = zip(observation.regions, observation.predictions, strict=True)
    return {"text": observation.text, "regions": [_region_as_json(*both) for both in regions]}


def _region_as_json(region: Region, prediction: Prediction) -> dict[str, Any]:
    known = {
        "label": prediction.label,
        "confidence": round(prediction.confidence, DECIMALS),
        "top": [[label, round(share, DECIMALS)] for label, share in prediction.top],
        "box": list(region.box.xyxy),
    }
    if prediction.turn is not None:
        known["turn"] = prediction.turn.said
    return known if region.hand is None else {**known, "hand": region.hand.side}
