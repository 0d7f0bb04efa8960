import pytest
from pydantic import ValidationError

from common.errors import SettingsError
from common.settings import Settings


def test_an_unknown_name_is_an_error_that_names_the_likely_one() -> None:
    with pytest.raises(SettingsError, match=r"RECOMMENDER_FED_URL.*did you mean RECOMMENDER_FEED_URL\?"):
        Settings.from_environment({"RECOMMENDER_FED_URL": "http://x/"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECOMMENDER_PORT", "0"),
        ("RECOMMENDER_PORT", "x"),
        ("NEO4J_URI", "http://x"),
        ("RECOMMENDER_LOG_LEVEL", "LOUD"),
        ("RECOMMENDER_FUTURE_MINUTES", "-1"),
        ("RECOMMENDER_FUTURE_MINUTES", "1441"),
        ("RECOMMENDER_FUTURE_MINUTES", "nan"),
    ],
)
def test_a_value_out_of_bounds_is_an_error_that_names_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_all_wrong_names_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"RECOMMENDER_PORT": "0", "RECOMMENDER_NONSENSE": "1"})
    assert "RECOMMENDER_PORT" in str(caught.value)
    assert "RECOMMENDER_NONSENSE" in str(caught.value)


def test_other_programs_names_are_left_alone() -> None:
    assert Settings.from_environment({"NEO4J_AUTH": "none", "PATH": "/bin"}) == Settings()


def test_values_are_read_and_frozen() -> None:
    settings = Settings.from_environment({"NEO4J_BOLT_PORT": "17687", "RECOMMENDER_PORT": "9000"})
    assert (settings.bolt_uri, settings.port) == ("bolt://127.0.0.1:17687", 9000)
    with pytest.raises(ValidationError):
        settings.port = 1


def test_the_password_is_not_shown() -> None:
    assert "hush-hush" not in repr(Settings.from_environment({"NEO4J_PASSWORD": "hush-hush"}))


def test_an_event_log_of_another_form_is_refused() -> None:
    with pytest.raises(SettingsError, match="RECOMMENDER_EVENT_LOG"):
        _ = Settings.from_environment({"RECOMMENDER_EVENT_LOG": "mysql://x"}).event_log_path
