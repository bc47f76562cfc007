import pytest

from app.core.error_messages import MAX_MESSAGE_BYTES, describe
from app.core.errors import TruncatedVideo


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no model at /opt/models/face.onnx, sorry", "no model at face.onnx, sorry"),
        ("cannot open '/srv/my videos/a b.mp4'", "cannot open 'a b.mp4'"),
        ('cannot open "/srv/my videos/a b.mp4"', 'cannot open "a b.mp4"'),
        ("error:/var/lib/x.so:/var/lib/y.so", "error:x.so:y.so"),
        ("(/root/.cache/weights/)", "(weights)"),
        ("model=/opt/m", "model=m"),
        ("see file:///home/me/report.txt", "see file://report.txt"),
        ("see https://example.org/a/b and 3/4 of it", "see https://example.org/a/b and 3/4 of it"),
        ("either/or, ../up and a/b/c", "either/or, ../up and a/b/c"),
    ],
)
def test_absolute_paths_shrink_to_their_last_component(text: str, expected: str) -> None:
    assert describe(ValueError(text)) == f"ValueError: {expected}"


def test_error_of_an_operating_system_call_keeps_the_name_of_its_file() -> None:
    error = FileNotFoundError(2, "No such file or directory", "/data/video jobs/x.mp4")
    assert describe(error) == "FileNotFoundError: [Errno 2] No such file or directory: 'x.mp4'"


def test_our_own_errors_speak_for_themselves() -> None:
    assert describe(TruncatedVideo("the file is cut off")) == "the file is cut off"
    assert describe(TruncatedVideo()) == "TruncatedVideo"


@pytest.mark.parametrize("character", ["x", "é", "\U0001f600", "/p"])
def test_long_messages_are_cut_between_two_characters(character: str) -> None:
    message = describe(ValueError(character * 5_000_000))
    assert len(message.encode()) <= MAX_MESSAGE_BYTES
    assert message.endswith("…")


def test_lone_surrogates_are_replaced() -> None:
    assert describe(ValueError("half \ud83d of it")) == "ValueError: half ? of it"


def test_error_that_cannot_say_what_it_is_has_a_name() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise SystemExit

    assert describe(Mute()) == "Mute"
