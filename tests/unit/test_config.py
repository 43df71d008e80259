"""Settings: defaults, rules, and one report of all faults."""

from __future__ import annotations

import base64
import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import phonenumbers
import pytest

from ttsprompt.config import NUMBER_TYPES, SETTING_NAMES, Settings, SettingsError, load_settings
from ttsprompt.service.choices import AnswerMode

WHSEC = "whsec_" + base64.b64encode(b"s" * 32).decode()
WHSK = "whsk_" + base64.b64encode(b"k" * 32).decode()


OTHER_NAMES = [
    "PATH",
    "HOME",
    "PORT",
    "THREADS",
    "WORKERS",
    "K_REVISION",
    "K_CONFIGURATION",
    "COLUMNS",
    "LOGNAME",
    "PYTHONUNBUFFERED",
    "DATABASE_URL",
    "API_BASE_URL",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GOOGLE_CLOUD_REGION",
    "GCLOUD_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "DATASTORE_EMULATOR_HOST",
    "FUNCTION_SIGNATURE_TYPE",
    "LOG_EXECUTION_ID",
    "CLOUD_RUN_TIMEOUT_SECONDS",
]


def faults(**environment: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load_settings(environment)
    return raised.value.faults


def test_nothing_needs_to_be_set_on_a_developers_machine() -> None:
    settings = load_settings({})

    assert settings.base_url == "http://localhost:8080"
    assert settings.call_store == "sqlite:///ttsprompt.db"
    assert settings.vonage_api_url == "https://api.nexmo.com"
    assert settings.answer_mode is AnswerMode.INLINE
    assert settings.callback_signing_secrets == ()
    assert settings.policy.retry_schedule[0] == timedelta(minutes=1)
    assert sum(settings.policy.retry_schedule, timedelta()) == timedelta(seconds=326160)
    assert settings.policy.retention == timedelta(days=30)
    assert settings.policy.stale_after is None
    assert not settings.allow_private_callbacks


def test_an_empty_variable_counts_as_absent() -> None:
    assert load_settings({"BASE_URL": "", "LOG_LEVEL": " "}) == load_settings({})


def test_all_faults_are_reported_together() -> None:
    found = faults(
        BASE_URL="ftp://x",
        CALL_STORE="redis://x",
        VONAGE_API_URL="http://api.nexmo.com",
        ANSWER_MODE="later",
        CALLBACK_SIGNING_SECRETS="whsec_short",
        CALLBACK_RETRY_SCHEDULE="60,0",
        STALE_AFTER="soon",
        ALLOW_PRIVATE_CALLBACKS="yes",
        RETENTION_DAYS="many",
        ALLOWED_APPLICATIONS="mine",
        ALLOWED_COUNTRIES="GB,Germany",
        REFUSED_NUMBERS="447700900001, 07700 900002",
        COMMIT="main",
        MAX_CALLS_PER_NUMBER="5 a day",
        LOG_LEVEL="chatty",
    )

    assert {fault.split()[0] for fault in found} == {
        "BASE_URL",
        "CALL_STORE",
        "VONAGE_API_URL",
        "ANSWER_MODE",
        "CALLBACK_SIGNING_SECRETS",
        "CALLBACK_RETRY_SCHEDULE",
        "STALE_AFTER",
        "ALLOW_PRIVATE_CALLBACKS",
        "RETENTION_DAYS",
        "ALLOWED_APPLICATIONS",
        "ALLOWED_COUNTRIES",
        "REFUSED_NUMBERS",
        "COMMIT",
        "MAX_CALLS_PER_NUMBER",
        "LOG_LEVEL",
    }


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("BASE_URL", "x", "must be an http(s) URL"),
        ("BASE_URL", "https://x.example:0/", "must be an http(s) URL"),
        ("BASE_URL", "https://x.example:65536/", "must be an http(s) URL"),
        ("VONAGE_API_URL", "http://x.example", "must be https"),
        ("CALL_STORE", "x", "must be firestore, sqlite:///"),
        ("FIRESTORE_DATABASE", "a/b", "must be letters, digits, - and _"),
        ("FIRESTORE_COLLECTION", "-a", "must be letters, digits, - and _"),
        ("FIRESTORE_COLLECTION", "a" * 63, "must be letters, digits, - and _"),
        ("ANSWER_MODE", "x", "must be inline or webhook"),
        ("CALLBACK_RETRY_SCHEDULE", "60 300", "must be whole seconds above 0, comma-separated"),
        ("CALLBACK_RETRY_SCHEDULE", "60,,300", "must be whole seconds above 0, comma-separated"),
        ("CALLBACK_RETRY_SCHEDULE", "٦٠", "must be whole seconds above 0, comma-separated"),
        ("STALE_AFTER", "1e3", "must be a number of seconds"),
        ("RETENTION_DAYS", "30.5", "must be a whole number of days"),
        ("ALLOWED_APPLICATIONS", "x", "must be UUIDs of Vonage applications, comma-separated"),
        ("ALLOWED_COUNTRIES", "DEU", "must be ISO 3166 codes of two letters, comma-separated"),
        ("REFUSED_NUMBER_TYPES", "x", "must be none, or types of numbers, comma-separated: fixed_line, "),
        ("REFUSED_NUMBERS", "0044", "must be whole numbers in E.164 form (447700900001), comma-separated"),
        ("COMMIT", "ABCDEF0", "must be a commit's id, 7 to 40 hex digits"),
        ("MAX_CALLS_PER_NUMBER", "0/600s", "must be calls/seconds, such as 5/600s"),
        ("ALLOW_PRIVATE_CALLBACKS", "1", "must be true or false"),
        ("LOG_LEVEL", "x", "must be one of DEBUG, INFO, "),
    ],
)
def test_a_fault_says_what_the_value_must_be(name: str, value: str, rule: str) -> None:
    with pytest.raises(SettingsError, match="ttsprompt cannot start:\n  - ") as raised:
        load_settings({name: value})

    (fault,) = raised.value.faults
    assert fault.startswith(f"{name} {rule}")


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("BASE_URL", "http://x.example:1/", "http://x.example:1"),
        ("BASE_URL", "https://x.example/X", "https://x.example/X"),
        ("FIRESTORE_DATABASE", "(default)", "(default)"),
        ("FIRESTORE_COLLECTION", "Calls_2-b", "Calls_2-b"),
        ("FIRESTORE_COLLECTION", "a" * 62, "a" * 62),
        ("ANSWER_MODE", "webhook", AnswerMode.WEBHOOK),
        ("CALLBACK_RETRY_SCHEDULE", "1, 300", (timedelta(seconds=1), timedelta(seconds=300))),
        ("STALE_AFTER", "0.5", timedelta(seconds=0.5)),
        ("ALLOW_PRIVATE_CALLBACKS", "TRUE", True),
        ("ALLOW_PRIVATE_CALLBACKS", "False", False),
        ("REFUSED_NUMBER_TYPES", ",".join(NUMBER_TYPES), frozenset(NUMBER_TYPES)),
        ("COMMIT", "0123456789abcdef", "0123456789abcdef"),
        ("LOG_LEVEL", "debug", "DEBUG"),
    ],
)
def test_a_value_is_read_as_what_it_means(name: str, value: str, read: object) -> None:
    assert getattr(load_settings({name: value}), name.lower()) == read


def test_the_store_is_firestore_where_the_service_is_deployed_or_an_emulator_runs() -> None:
    deployed = load_settings({"K_SERVICE": "ttsprompt", "BASE_URL": "https://x.example"})
    beside_an_emulator = load_settings({"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080"})
    told = load_settings({"FIRESTORE_EMULATOR_HOST": "127.0.0.1:8080", "CALL_STORE": "sqlite:///x.db"})

    assert (deployed.call_store, deployed.on_firestore_emulator) == ("firestore", False)
    assert (beside_an_emulator.call_store, beside_an_emulator.on_firestore_emulator) == ("firestore", True)
    assert (told.call_store, told.on_firestore_emulator) == ("sqlite:///x.db", True)


@pytest.mark.parametrize("text", ["", "0", "x", "-1", "123456"])
def test_without_a_number_of_threads_it_is_the_frameworks_four_a_core(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)

    assert load_settings({"THREADS": text}).threads == 12
    assert load_settings({}).threads == 12


def test_the_number_of_threads_is_the_frameworks_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: None)

    assert load_settings({"THREADS": "80"}).threads == 80
    assert load_settings({}).threads == 4


@pytest.mark.parametrize("target", [{}, {"FUNCTION_TARGET": "ttsprompt"}])
def test_the_public_function_needs_its_url_where_it_is_deployed(target: dict[str, str]) -> None:
    assert len(faults(K_SERVICE="ttsprompt", **target)) == 1


def test_the_private_functions_need_no_url() -> None:
    assert load_settings({"K_SERVICE": "sweep", "FUNCTION_TARGET": "expire_stale_calls"}).base_url


def test_a_retention_of_exactly_twice_the_schedule_and_a_day_is_enough() -> None:
    assert load_settings({"CALLBACK_RETRY_SCHEDULE": "43200", "RETENTION_DAYS": "2"}).retention_days.days == 2
    assert faults(CALLBACK_RETRY_SCHEDULE="43201", RETENTION_DAYS="2")


def test_each_fault_is_a_line_of_what_is_printed() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({"COMMIT": "x", "LOG_LEVEL": "x"})

    assert str(raised.value).splitlines() == ["ttsprompt cannot start:", *(f"  - {f}" for f in raised.value.faults)]


def test_base_url_is_required_where_the_service_is_deployed() -> None:
    (fault,) = faults(K_SERVICE="ttsprompt", FUNCTION_TARGET="ttsprompt")

    assert fault.startswith("BASE_URL is required")


@pytest.mark.parametrize("name", ["STALE_AFTER", "ALLOW_PRIVATE_CALLBACKS"])
def test_settings_for_tests_keep_a_deployed_service_from_starting(name: str) -> None:
    value = {"STALE_AFTER": "5", "ALLOW_PRIVATE_CALLBACKS": "true"}[name]
    (fault,) = faults(K_SERVICE="ttsprompt", BASE_URL="https://x.example", **{name: value})

    assert fault == f"{name} is for tests and demos only"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:7000", "http://localhost:7000", "http://[::1]:7000", "https://api-eu-3.vonage.com"]
)
def test_vonage_may_be_a_region_or_a_dev_phone_on_this_machine(url: str) -> None:
    assert load_settings({"VONAGE_API_URL": url}).vonage_api_url == url


@pytest.mark.parametrize("url", ["http://10.0.0.1", "http://api.nexmo.com", "http://x.local", "https://u:p@x", "x"])
def test_tokens_are_never_sent_in_the_clear_to_another_machine(url: str) -> None:
    assert faults(VONAGE_API_URL=url)


@pytest.mark.parametrize("url", ["https://x.example/?a=b", "https://x.example/#f", "https://", "https://x y", "//x"])
def test_a_base_url_must_be_one_to_append_paths_to(url: str) -> None:
    assert faults(BASE_URL=url)


def test_a_base_url_may_have_a_path_and_loses_its_last_slash() -> None:
    assert load_settings({"BASE_URL": "https://x.example/api/"}).base_url == "https://x.example/api"


def test_signing_keys_of_both_kinds_are_read_and_hidden() -> None:
    settings = load_settings({"CALLBACK_SIGNING_SECRETS": f"{WHSEC}, {WHSK}"})

    assert [key.kind for key in settings.callback_signing_secrets] == ["v1", "v1a"]
    assert "whsec" not in repr(settings)
    assert repr(b"s" * 32) not in repr(settings)


def test_no_secret_setting_is_shown() -> None:
    given = {
        "VONAGE_SIGNATURE_SECRET": "s3cret of the account",
        "CALLBACK_SIGNING_SECRETS": WHSEC,
        "REFUSED_NUMBERS": "447700900001",
    }
    shown = repr(load_settings(given))

    assert [name for name, value in given.items() if value in shown or f"{name.lower()}=" in shown] == []
    assert {field.name.upper() for field in fields(Settings) if not field.repr} == given.keys()


def test_a_fault_never_quotes_a_secret() -> None:
    found = faults(CALLBACK_SIGNING_SECRETS="whsec_c2hvcnQtc2VjcmV0")

    assert "c2hvcnQtc2VjcmV0" not in str(found)


def test_records_must_outlive_their_delivery() -> None:
    (fault,) = faults(RETENTION_DAYS="8")

    assert fault.startswith("RETENTION_DAYS must be at least")
    assert load_settings({"RETENTION_DAYS": "9"}).policy.retention == timedelta(days=9)


@pytest.mark.parametrize("url", ["sqlite:///x.db", "sqlite:///a/b.db", "sqlite:////tmp/x.db", "firestore"])
def test_a_store_is_a_file_or_firestore(url: str) -> None:
    assert load_settings({"CALL_STORE": url}).call_store == url


@pytest.mark.parametrize(
    "url", ["sqlite:///:memory:", "sqlite:///", "sqlite://x.db", "sqlite:///x?mode=ro", "postgres://x"]
)
def test_a_store_that_no_other_thread_or_process_would_see_is_refused(url: str) -> None:
    assert faults(CALL_STORE=url)


def test_blanks_around_a_value_are_dropped_from_secrets_too() -> None:
    settings = load_settings({"VONAGE_SIGNATURE_SECRET": " s3cret\n", "CALLBACK_SIGNING_SECRETS": f"{WHSEC}\n"})

    assert settings.vonage_signature_secret == "s3cret"
    assert len(settings.callback_signing_secrets) == 1


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ALLOWED_COUNTRY", "ALLOWED_COUNTRIES"),
        ("ALLOWED_APPLICATION", "ALLOWED_APPLICATIONS"),
        ("allowed_countries", "ALLOWED_COUNTRIES"),
        ("MAX_CALLS_PER_NUMBERS", "MAX_CALLS_PER_NUMBER"),
        ("CALLBACK_SIGNING_SECRET", "CALLBACK_SIGNING_SECRETS"),
        ("VONAGE_SIGNING_SECRET", "VONAGE_SIGNATURE_SECRET"),
        ("REFUSED_NUMBER_TYPE", "REFUSED_NUMBER_TYPES"),
        ("BASEURL", "BASE_URL"),
        ("LOGLEVEL", "LOG_LEVEL"),
    ],
)
def test_a_variable_that_looks_like_a_setting_keeps_the_service_from_starting(name: str, meant: str) -> None:
    assert faults(**{name: "DE"}) == [f"{name} is no setting: did you mean {meant}?"]


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_programs_variables_do_not(name: str) -> None:
    assert load_settings({name: "x"}) == load_settings({})


def test_a_country_that_does_not_exist_keeps_the_service_from_starting() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({"ALLOWED_COUNTRIES": "UK,EL,DE,XX"}, lambda: frozenset(phonenumbers.SUPPORTED_REGIONS))

    assert raised.value.faults == [
        "ALLOWED_COUNTRIES names EL, which is no country: did you mean GR?",
        "ALLOWED_COUNTRIES names UK, which is no country: did you mean GB?",
        "ALLOWED_COUNTRIES names XX, which is no country",
    ]


def test_the_countries_are_looked_at_only_when_some_are_named() -> None:
    def regions() -> frozenset[str]:
        raise AssertionError

    assert load_settings({}, regions).allowed_countries is None
    assert load_settings({"ALLOWED_COUNTRIES": "all"}, regions).allowed_countries is None
    assert load_settings({"ALLOWED_APPLICATIONS": "ALL"}).allowed_applications is None


def test_an_emulator_is_named_without_a_scheme() -> None:
    assert faults(FIRESTORE_EMULATOR_HOST="http://127.0.0.1:8080") == [
        "FIRESTORE_EMULATOR_HOST must be host:port, without http://"
    ]


def test_expensive_types_of_numbers_are_refused_unless_the_operator_says_which() -> None:
    assert load_settings({}).refused_number_types == {"premium_rate", "shared_cost", "personal_number"}
    assert load_settings({"REFUSED_NUMBER_TYPES": "UAN, pager"}).refused_number_types == {"uan", "pager"}
    assert load_settings({"REFUSED_NUMBER_TYPES": "none"}).refused_number_types == frozenset()
    assert faults(REFUSED_NUMBER_TYPES="premium")


def test_the_types_of_numbers_are_libphonenumbers() -> None:
    values = phonenumbers.PhoneNumberType.values()

    assert {phonenumbers.PhoneNumberType.to_string(value).lower() for value in values} == set(NUMBER_TYPES)


def test_the_page_of_settings_lists_each_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs/settings.md").read_text()
    names = [name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]

    assert sorted(names) == sorted(SETTING_NAMES)
