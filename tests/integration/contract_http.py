"""The points of the serving contract that an address is enough for; each test's name begins with its number.

A test module that has a fixture `url` (a running server of whatever domains) runs them all by

    from tests.integration.contract_http import *
"""

from __future__ import annotations

import json
import re
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_zoo.report import Report
from serve.formats import FORMS
from tests.conftest import MEDIA

CAT = MEDIA / "images" / "cat.png"
SPEECH = MEDIA / "speech" / "debian_motto.wav"
CLIP = MEDIA / "variants" / "demo_noaudio.mp4"
INPUTS = {
    "image/png": CAT,
    "image/jpeg": MEDIA / "images" / "two_dogs.jpg",
    "audio/wav": SPEECH,
    "video/mp4": CLIP,
    "video/webm": MEDIA / "variants" / "demo_vp9.webm",
}
SLOWEST_SECONDS = 60.0
PING_SECONDS = 0.1


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        yield client


def post(http: httpx.Client, body: bytes | Iterator[bytes], media_type: str | None, **headers: str) -> httpx.Response:
    named = {"Content-Type": media_type} if media_type else {}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.post("/invocations", content=body, headers=named | more)


def lasting(answer: httpx.Response) -> dict[str, Any]:
    """Return a report without what differs from run to run."""
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    report.pop("run")
    return report


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert error["status"] == answer.status_code
    assert error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


def in_pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


def test_c07_an_idle_ping_is_a_quick_200_without_a_body(http: httpx.Client) -> None:
    http.get("/ping")
    start = time.perf_counter()
    answer = http.get("/ping")
    assert time.perf_counter() - start < PING_SECONDS
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("media_type", INPUTS)
def test_c08_c09_every_kind_of_media_gives_a_report_in_time(http: httpx.Client, media_type: str) -> None:
    start = time.perf_counter()
    answer = post(http, INPUTS[media_type].read_bytes(), media_type, Accept="application/json")
    assert time.perf_counter() - start <= SLOWEST_SECONDS
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    report = Report.model_validate_json(answer.content)
    assert report.complete
    assert report.media.size_bytes == INPUTS[media_type].stat().st_size
    assert report.media.kind == media_type.split("/")[0]
    assert report.domains


def test_c10_c11_four_requests_at_once_are_served_while_ping_stays_quick(http: httpx.Client, url: str) -> None:
    enough = threading.Event()

    def analyze_until_enough(_number: int) -> set[int]:
        statuses = set()
        while not enough.is_set():
            headers = {"Content-Type": "video/mp4"}
            answer = httpx.post(
                f"{url}/invocations", content=CLIP.read_bytes(), headers=headers, timeout=120, trust_env=False
            )
            statuses.add(answer.status_code)
        return statuses

    http.get("/ping")
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(analyze_until_enough, number) for number in range(4)]
        pings = []
        while len(pings) < 20:
            start = time.perf_counter()
            assert http.get("/ping").status_code == 200
            pings.append(time.perf_counter() - start)
            time.sleep(0.02)
        enough.set()
    assert [answer.result() for answer in answers] == [{200}] * 4
    assert statistics.median(pings) < PING_SECONDS  # its own time; the slowest waits for the machine, too
    assert max(pings) < 2.0


def test_c12_the_same_request_gives_the_same_answer(http: httpx.Client) -> None:
    first, second = (lasting(post(http, CAT.read_bytes(), "image/png")) for _ in range(2))
    assert first == second


def test_c13_foreign_headers_change_nothing_and_attributes_come_back(http: httpx.Client) -> None:
    plain = lasting(post(http, CAT.read_bytes(), "image/png"))
    answer = post(
        http,
        CAT.read_bytes(),
        "image/png",
        X_Amzn_SageMaker_Custom_Attributes="trace=7f3a",
        X_Amzn_SageMaker_Target_Model="other.tar.gz",
        X_Amzn_SageMaker_Inference_Component="one",
        X_Forwarded_For="203.0.113.9",
        Authorization="Bearer of-somebody-else",
    )
    assert lasting(answer) == plain
    assert answer.headers["x-amzn-sagemaker-custom-attributes"] == "trace=7f3a"


@pytest.mark.parametrize("accept", [None, "*/*", "application/*", "application/json, text/csv;q=0.1"])
def test_c14_an_open_accept_gives_json(http: httpx.Client, accept: str | None) -> None:
    request = http.build_request("POST", "/invocations", content=CAT.read_bytes())
    del request.headers["accept"]
    if accept:
        request.headers["accept"] = accept
    answer = http.send(request)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("media_type", [None, "application/octet-stream", "application/x-www-form-urlencoded"])
def test_c15_without_a_useful_type_the_bytes_decide(http: httpx.Client, media_type: str | None) -> None:
    assert lasting(post(http, CAT.read_bytes(), media_type))["media"]["container"] == "png_pipe"


@pytest.mark.parametrize(
    ("media_type", "path"), [("application/x-image", CAT), ("application/mp4", CLIP), ("application/x-image", SPEECH)]
)
def test_c15_names_of_media_outside_of_its_families_are_known(http: httpx.Client, media_type: str, path: Path) -> None:
    assert lasting(post(http, path.read_bytes(), media_type))["media"]["size_bytes"] == path.stat().st_size


@pytest.mark.parametrize("media_type", ["application/xml", "text/csv", "application/zip", "nonsense", "video"])
def test_c16_c17_a_wrong_type_is_a_415_that_names_the_right_ones(http: httpx.Client, media_type: str) -> None:
    answer = post(http, b"<a/>", media_type)
    assert answer.status_code == 415
    assert "video/*" in error_of(answer)["message"]


@pytest.mark.parametrize("media_type", ["video/mp4", "application/json", "application/jsonlines", None])
def test_c18_an_empty_body_is_a_400(http: httpx.Client, media_type: str | None) -> None:
    answer = post(http, b"", media_type)
    assert answer.status_code == 400
    error_of(answer)


@pytest.mark.parametrize("media_type", ["video/mp4", "image/jpeg", "audio/wav"])
def test_c19_an_undecodable_body_is_a_422_and_the_server_goes_on(http: httpx.Client, media_type: str) -> None:
    answer = post(http, b"\x00\x01\x02 nothing of a kind " * 500, media_type)
    assert answer.status_code == 422
    error_of(answer)
    assert http.get("/ping").status_code == 200


def test_c19_media_of_another_kind_than_its_type_says_is_analyzed_as_what_it_is(http: httpx.Client) -> None:
    picture = (MEDIA / "images" / "two_dogs.jpg").read_bytes()
    assert lasting(post(http, picture, "video/mp4"))["media"]["kind"] == "image"
    assert lasting(post(http, SPEECH.read_bytes(), "image/png"))["media"]["kind"] == "audio"


def test_c19_undecodable_bytes_of_no_type_are_a_415(http: httpx.Client) -> None:
    assert post(http, b"nothing of a kind", None).status_code == 415


def test_c20_a_truncated_video_gives_a_report_that_says_so_or_a_422(http: httpx.Client) -> None:
    answer = post(http, (MEDIA / "variants" / "demo_vp9.webm").read_bytes()[:60_000], "video/webm")
    assert answer.status_code in (200, 422)
    if answer.status_code == 200:
        report = Report.model_validate_json(answer.content)
        looked_or_heard = report.decode.strategy != "none" or (report.sound and report.sound.sample_rates)
        assert not report.complete or not looked_or_heard
    assert post(http, CLIP.read_bytes()[:60_000], "video/mp4").status_code == 422  # its index was at the end


def test_c21_a_chunked_request_gives_the_same_answer(http: httpx.Client) -> None:
    whole = post(http, CAT.read_bytes(), "image/png")
    chunked = post(http, in_pieces(CAT.read_bytes()), "image/png")
    assert "content-length" not in chunked.request.headers
    assert lasting(chunked) == lasting(whole)


def test_c22_c23_execution_parameters_keep_within_what_batch_transform_allows(http: httpx.Client) -> None:
    facts = http.get("/execution-parameters").json()
    assert set(facts) == {"MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"}
    assert facts["BatchStrategy"] == "SINGLE_RECORD"
    assert 0 < facts["MaxConcurrentTransforms"] * facts["MaxPayloadInMB"] <= 100


def test_c24_other_routes_are_404_and_other_methods_405(http: httpx.Client) -> None:
    assert http.get("/nothing").status_code == 404
    assert http.get("/invocations").status_code == 405
    assert http.post("/ping").status_code == 405
    assert http.post("/..%2f..%2fetc/passwd").status_code == 404
    assert http.post("/invocations/", content=CAT.read_bytes()).status_code == 404


@pytest.mark.parametrize("megabytes", [25, 99])
def test_c25_c26_a_large_body_is_taken(http: httpx.Client, megabytes: int) -> None:
    """A real clip, followed by a box that says it is free space, as editors leave it."""
    clip = CLIP.read_bytes()
    rest = megabytes * 1_000_000 - len(clip)
    report = lasting(post(http, clip + rest.to_bytes(4, "big") + b"free" + bytes(rest - 8), "video/mp4"))
    assert report["media"]["size_bytes"] == megabytes * 1_000_000
    assert report["media"]["kind"] == "video"


def test_c29_metrics_count_requests_and_end_in_units(http: httpx.Client) -> None:
    http.get("/ping")
    assert post(http, CLIP.read_bytes(), "video/mp4").status_code == 200
    text = http.get("/metrics").text
    assert float(re.search(r"^reelwarden_media_seconds_total (\S+)", text, re.MULTILINE)[1]) > 5
    assert "# TYPE reelwarden_batch_rows histogram" in text
    assert 'reelwarden_requests_total{route="/ping",status="200"}' in text
    names = set(re.findall(r"^# TYPE (reelwarden_\S+)", text, re.MULTILINE))
    assert len(names) > 5
    endings = ("_seconds", "_total", "_bytes", "_rows", "_places", "_bool", "_ratio", "_created")
    assert all(name.endswith(endings) for name in names), names


def test_options_choose_domains_and_a_wrong_one_is_a_400(http: httpx.Client) -> None:
    loaded = list(lasting(post(http, CAT.read_bytes(), "image/png"))["domains"])
    answer = http.post(f"/invocations?domains={loaded[0]}", content=CAT.read_bytes())
    assert list(lasting(answer)["domains"]) == loaded[:1]
    by_header = post(http, CAT.read_bytes(), None, X_Amzn_SageMaker_Custom_Attributes=f"domains={loaded[0]};mine=1")
    assert list(lasting(by_header)["domains"]) == loaded[:1]
    for query in ("domains=nosuch", "intervall=1", "interval_seconds=-1", "interval_seconds=1e-9"):
        refused = http.post(f"/invocations?{query}", content=CAT.read_bytes())
        assert refused.status_code == 400
        error_of(refused)


def test_o01_o02_the_health_routes_of_others_agree_with_ping(http: httpx.Client) -> None:
    for route in ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready"):
        assert http.get(route).status_code == 200, route


def test_a_browser_form_gives_the_report_of_its_file(http: httpx.Client) -> None:
    form = http.post("/invocations", files={"file": ("my cat.png", CAT.read_bytes(), "image/png")})
    report = lasting(form)
    assert report["media"]["name"] == "my cat.png"
    assert report["domains"] == lasting(post(http, CAT.read_bytes(), "image/png"))["domains"]


def test_a_form_that_is_cut_off_is_told_from_one_without_a_file(http: httpx.Client) -> None:
    form = http.build_request("POST", "/invocations", files={"file": ("cat.png", CAT.read_bytes())})
    whole = form.read()
    for body in (whole[: len(whole) // 2], whole[:-10]):
        answer = post(http, body, form.headers["content-type"])
        assert answer.status_code == 422
        assert "cut off" in error_of(answer)["message"]
    empty = http.post("/invocations", files={"domains": (None, "labels")})
    assert empty.status_code == 400
    assert "no file" in error_of(empty)["message"]


def test_the_request_id_is_the_callers_or_a_new_one_and_is_in_the_answer(http: httpx.Client) -> None:
    own = post(http, CAT.read_bytes(), None, X_Amzn_SageMaker_Inference_Id="inference-17")
    assert own.headers["x-request-id"] == own.json()["run"]["request_id"] == "inference-17"
    new = [post(http, CAT.read_bytes(), None).json()["run"]["request_id"] for _ in range(2)]
    assert new[0] != new[1]


def test_media_by_address_is_refused_unless_allowed(http: httpx.Client) -> None:
    for place in ("s3://bucket/clip.mp4", "https://example.com/clip.mp4", "/etc/passwd", "file:///etc/passwd"):
        answer = post(http, json.dumps({"media": place}).encode(), "application/json")
        assert answer.status_code == 403, place
        assert "root:" not in answer.text


def test_json_of_another_form_is_a_422_with_an_example(http: httpx.Client) -> None:
    for body in (b"{", b"[]", b'{"media": 7}', b'{"media": "s3://a/b", "surprise": 1}', b'"' + b"x" * 100 + b'"'):
        answer = post(http, body, "application/json")
        assert answer.status_code == 422
        assert '"media"' in error_of(answer)["message"]


def test_json_lines_answer_line_by_line_in_order(http: httpx.Client) -> None:
    lines = b'{"media": "s3://bucket/a.mp4"}\n{"medium": 1}\n\n{"media": "/etc/passwd"}\n'
    answer = post(http, lines, "application/jsonlines", Accept="application/jsonlines")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/jsonlines"
    statuses = [json.loads(line)["error"]["status"] for line in answer.text.splitlines()]
    assert statuses == [403, 422, 403]


def test_json_lines_heed_accept(http: httpx.Client) -> None:
    line = b'{"media": "/etc/passwd"}\n'
    assert post(http, line * 2, "application/jsonlines", Accept="application/json").status_code == 406
    assert post(http, line, "application/jsonlines", Accept="image/png").status_code == 406
    alone = post(http, line, "application/jsonlines", Accept="application/json")
    assert alone.status_code == 403
    assert alone.headers["content-type"] == "application/json"
    named = post(http, line * 2, "application/jsonlines", Accept="application/x-ndjson")
    assert named.headers["content-type"] == "application/x-ndjson"


def test_accept_and_the_option_format_choose_the_output_form(http: httpx.Client) -> None:
    clip = CLIP.read_bytes()
    by_header = post(http, clip, "video/mp4", Accept="text/csv")
    headers = {"Accept": "application/json", "Content-Type": "video/mp4"}
    by_option = http.post("/invocations?format=csv", content=clip, headers=headers)
    assert by_header.headers["content-type"] == by_option.headers["content-type"] == "text/csv; charset=utf-8"
    assert by_header.text == by_option.text
    assert http.post("/invocations?format=nosuch", content=clip).status_code == 400


@pytest.mark.parametrize("name", FORMS)
def test_every_profile_of_accept_gives_what_the_option_format_gives(http: httpx.Client, name: str) -> None:
    form = FORMS[name]
    by_header = post(http, CAT.read_bytes(), "image/png", Accept=form.content_type)
    by_option = http.post(
        f"/invocations?format={name}", content=CAT.read_bytes(), headers={"Content-Type": "image/png"}
    )
    assert by_header.status_code == by_option.status_code
    if by_header.status_code != 200:  # the form is of a domain that does not run here, or had nothing to go by
        assert error_of(by_header)["message"] == error_of(by_option)["message"]
        return
    assert by_header.headers["content-type"] == by_option.headers["content-type"] == form.content_type
    if name == "json":
        assert lasting(by_header) == lasting(by_option)
    else:
        assert by_header.text == by_option.text


def test_the_policy_may_be_left_out(http: httpx.Client) -> None:
    as_set = lasting(post(http, CAT.read_bytes(), None))["verdict"]
    assert lasting(http.post("/invocations?policy=default", content=CAT.read_bytes()))["verdict"] == as_set
    assert lasting(http.post("/invocations?policy=none", content=CAT.read_bytes()))["verdict"] is None
    assert http.post("/invocations?policy=/etc/passwd", content=CAT.read_bytes()).status_code == 400


def test_a_person_drops_a_file_at_the_front_page_and_sees_the_review_page(http: httpx.Client) -> None:
    front = http.get("/")
    assert front.status_code == 200
    assert 'action="/invocations"' in front.text
    assert "default-src 'none'" in front.headers["content-security-policy"]
    assert not re.search(r"(src|href)=.?https?://", front.text)
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = http.post("/invocations", files={"file": ("my <cat>.mp4", CLIP.read_bytes())}, headers=browser)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "data:video/mp4;base64," in page.text
    assert "my &lt;cat&gt;.mp4" in page.text
    assert "<cat>" not in page.text
    wrong = http.post("/invocations", files={"file": ("<b>.mp4", b"nothing")}, headers=browser)
    assert wrong.status_code in (415, 422)
    assert wrong.headers["content-type"].startswith("text/html")
    assert "<b>" not in wrong.text


def test_an_output_form_that_there_is_not_is_a_406(http: httpx.Client) -> None:
    assert post(http, CAT.read_bytes(), "image/png", Accept="image/png").status_code == 406


def test_the_openapi_document_tells_of_every_route_with_examples(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    assert {"/ping", "/invocations", "/execution-parameters", "/livez", "/readyz", "/metrics"} <= set(document["paths"])
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    assert content["application/json"]["example"]["media"].startswith("s3://")
