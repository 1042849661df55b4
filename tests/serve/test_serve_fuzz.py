"""Fuzzing: no request may cause a server error."""

import contextlib
import io
from collections import Counter

import httpx2 as httpx
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from benchmarks.faults import damaged
from recognizer.errors import SourceError
from recognizer.serve.http.problems import Problem
from recognizer.serve.workers.pictures import decode_picture
from tests.helpers.http import jpeg, png, sheet
from tests.helpers.running_server import Served
from tests.helpers.waiting import HANG_S

MUTATIONS = 2000
SEND_EVERY = 10  # every tenth is sent to the server; the others are only decoded here, with the server's decoder
EXAMPLES = 8  # of each operation
EXAMPLES_OF_EXPORTS = 1  # each takes seconds
SMALL_WH = (64, 48)  # small, so that a picture that is still valid after its mutation is decoded quickly


@pytest.mark.slow
def test_no_documented_request_causes_a_server_error(served: Served) -> None:
    """Responses to Schemathesis' valid and invalid requests conform to the OpenAPI document.

    A valid request may be refused: the document cannot fully describe what is a label or a picture.
    """
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json", headers=served.headers)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 15
    for mode in GenerationMode:
        for operation in operations:
            examples = EXAMPLES_OF_EXPORTS if operation.path.startswith("/v1/exports/") else EXAMPLES

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
            def check_response(case: schemathesis.Case) -> None:
                case.call_and_validate(
                    base_url=served.url,
                    headers=served.headers,
                    excluded_checks=[positive_data_acceptance],
                    timeout=HANG_S,
                )

            with contextlib.suppress(Unsatisfiable):  # no invalid request exists for an operation without parameters
                check_response()


def pictures() -> list[bytes]:
    """Small valid pictures in each supported format."""
    image = Image.fromarray(sheet(3)).resize(SMALL_WH)
    encoded = [jpeg(np.asarray(image)), png(np.asarray(image))]
    for image_format, options in (("JPEG", {"progressive": True}), ("WEBP", {}), ("WEBP", {"lossless": True})):
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, image_format, **options)
        encoded.append(buffer.getvalue())
    return encoded


@pytest.mark.slow
def test_no_damaged_picture_causes_a_server_error(served: Served) -> None:
    rng = np.random.default_rng(6)
    valid = pictures()
    statuses: Counter[int] = Counter()
    with httpx.Client(base_url=served.url, timeout=60, headers=served.headers) as client:
        for number in range(MUTATIONS):
            data = damaged(valid[number % len(valid)], rng)
            try:
                decode_picture(data)
            except Problem as problem:
                statuses[problem.status_code] += 1
            except SourceError:
                statuses[422] += 1
            else:
                statuses[200] += 1
            if number % SEND_EVERY == 0:
                response = client.post("/v1/predict?task=digits", content=data)
                assert response.status_code < 500, (number, response.text)
    assert min(statuses) >= 200
    assert max(statuses) < 500
    assert statuses[422] > MUTATIONS / 10
    assert statuses[200] > MUTATIONS / 100
