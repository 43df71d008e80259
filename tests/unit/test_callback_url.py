"""Which callback URLs are accepted."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ttsprompt.domain.payload import PAYLOAD_FIELDS
from ttsprompt.net.callback_url import CallbackUrl, check_callback_url, parse_callback_url


class RefusedError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def code_of(url: str, *, allow_private: bool = False) -> str | None:
    """Return the code under which `url` is refused, None if it is accepted."""
    try:
        check_callback_url(url, allow_private=allow_private, fault=RefusedError)
    except RefusedError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://example.com/", "invalid_url"),
        ("http\u017f://example.com/", "invalid_url"),  # an s to whoever ignores case
        ("//example.com/", "invalid_url"),
        ("example.com/callback", "invalid_url"),
        ("javascript:alert(1)", "invalid_url"),
        ("https://", "invalid_url"),
        ("https:///path", "invalid_url"),
        ("https://:443/", "invalid_url"),
        ("https://user@example.com/", "invalid_url"),
        ("https://user:pass@example.com/", "invalid_url"),
        ("https://@example.com/", "invalid_url"),
        ("https://example.com/#part", "invalid_url"),
        ("https://example.com/#", "invalid_url"),
        ("https://example.com:0/", "invalid_url"),
        ("https://example.com:65536/", "invalid_url"),
        ("https://example.com:x/", "invalid_url"),
        ("https://example.com/a b", "invalid_url"),
        ("https://example.com/\n", "invalid_url"),
        (" https://example.com/", "invalid_url"),
        ("https://example.com\\@10.0.0.1/", "invalid_url"),
        ("https://exa%6dple.com/", "invalid_url"),
        ("https://-example.com/", "invalid_url"),
        ("https://example..com/", "invalid_url"),
        ("https://☃.example/", "invalid_url"),  # IDNA 2003 takes it, IDNA 2008 does not
        ("https://a\u200db.example/", "invalid_url"),  # a joiner where no script has one
        ("https://xn--\u00fc.example/", "invalid_url"),
        ("https://ｌocalhost/", "invalid_url"),
        ("https://８.8.8.8/", "invalid_url"),
        ("https://①②⑦.⓪.⓪.①/", "invalid_url"),
        ("https://256.256.256.256/", "invalid_url"),
        ("https://1.2.3.4.5/", "invalid_url"),
        ("https://4294967296/", "invalid_url"),
        ("https://example.0x1f/", "invalid_url"),
        ("https://example.com/\u200b", "invalid_url"),
        ("https://example.com\u200b/", "invalid_url"),
        ("https://example.com/?a=\ufeff", "invalid_url"),
        ("https://example.com/x\u2060y", "invalid_url"),
        ("https://example.com/\u3164", "invalid_url"),
        ("https://example.com/\u3000", "invalid_url"),
        ("https://[fe80::1%25lo]/", "invalid_url"),
        ("https://127。0。0。1/", "invalid_url"),
        ("https://١٢٧.0.0.1/", "invalid_url"),
        ("https://local\u00adhost/", "invalid_url"),
        ("https://%31%32%37.0.0.1/", "invalid_url"),
        ("https://example.com:+80/", "invalid_url"),
        (f"https://{'.'.join(['a' * 49] * 5)}.abcd/", "invalid_url"),
        ("https://[::1/", "invalid_url"),
        ("https://[1::2::3]/", "invalid_url"),
        ("https://[v1.a:b]/", "invalid_url"),
        ("https://example.com/" + "x" * 2029, "invalid_url"),
        *[(f"https://example.com/?a=1&{name}=x", "reserved_query_name") for name in PAYLOAD_FIELDS],
        ("https://example.com/?to", "reserved_query_name"),
        ("https://example.com/?%74id=x", "reserved_query_name"),
        ("https://example.com/?%73tatus", "reserved_query_name"),
        ("http://localhost/", "private_address"),
        ("http://LOCALHOST./", "private_address"),
        ("http://a.localhost/", "private_address"),
        ("http://metadata.google.internal/", "private_address"),
        ("http://printer.local:8080/", "private_address"),
        ("http://127.0.0.1/", "private_address"),
        ("http://127.1/", "private_address"),
        ("http://2130706433/", "private_address"),
        ("http://0x7f000001/", "private_address"),
        ("http://0177.0.0.1/", "private_address"),
        ("http://0x/", "private_address"),
        ("http://10.0.0.1/", "private_address"),
        ("http://169.254.169.254/", "private_address"),
        ("http://0.0.0.0/", "private_address"),
        ("http://224.0.0.1/", "private_address"),
        ("http://[::1]/", "private_address"),
        ("http://[fd00::1]/", "private_address"),
        ("http://[::ffff:8.8.8.8]/", "private_address"),
    ],
)
def test_a_callback_that_may_not_be_called_is_refused(url: str, code: str) -> None:
    assert code_of(url) == code


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "HTTPS://EXAMPLE.COM/Path",
        "https://example.com:8443/a?order=7&x=%2F&y",
        "https://example.com/?To=x",
        "https://bücher.example/",
        "https://straße.de/",
        "https://\u05d0\u05d11.example/",  # IDNA 2008 takes it, IDNA 2003 does not
        "https://\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example/",  # a joiner that Persian has there
        "https://my_host.bücher.example/",
        "https://example.com/ü?x=ü",
        "https://4chan.example/",
        "https://my_host.example.com/",
        "https://8.8.8.8/",
        "https://example.com:1/",
        "https://example.com:65535/",
        "https://[2606:4700:4700::1111]:8443/",
        f"https://{'.'.join(['a' * 49] * 5)}.abc./",
        "https://example.com/" + "x" * 2028,
    ],
)
def test_a_public_callback_is_accepted(url: str) -> None:
    assert code_of(url) is None


@pytest.mark.parametrize(
    ("url", "origin", "path", "query"),
    [
        ("HTTPS://EXAMPLE.com", "https://example.com", "/", None),
        ("http://example.com:/?", "http://example.com", "/", ""),
        ("http://Stra\u00dfe.de:0080/\u00fc?\u00fc|", "http://xn--strae-oqa.de:80", "/%C3%BC", "%C3%BC%7C"),
        ("http://0x8.8.8.8./%2f/../a", "http://8.8.8.8", "/%2f/../a", None),
        ("http://[2606:4700:0:0::1111]:81/", "http://[2606:4700::1111]:81", "/", None),
    ],
)
def test_what_is_sent_is_what_was_judged(url: str, origin: str, path: str, query: str | None) -> None:
    parsed = parse_callback_url(url)

    assert parsed is not None
    assert (parsed.origin, parsed.path, parsed.query) == (origin, path, query)


@pytest.mark.parametrize("host", ["127.0.0.1:9000", "localhost", "[::1]", "10.0.0.1", "printer.local"])
def test_private_callbacks_can_be_allowed(host: str) -> None:
    assert code_of(f"http://{host}/", allow_private=True) is None


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://user@127.0.0.1/", "invalid_url"),
        ("http://127.0.0.1/#", "invalid_url"),
        ("http://127.0.0.1/?tid=x", "reserved_query_name"),
    ],
)
def test_allowing_private_callbacks_lifts_no_other_rule(url: str, code: str) -> None:
    assert code_of(url, allow_private=True) == code


def test_all_reserved_names_are_told_at_once() -> None:
    with pytest.raises(RefusedError) as caught:
        check_callback_url("https://example.com/?tid=secret&x=1&%74o=secret", allow_private=False, fault=RefusedError)

    assert "to, tid" in caught.value.message or "tid, to" in caught.value.message
    assert "secret" not in caught.value.message


PIECES = [
    "http://",
    "https:",
    "//",
    "example.com",
    "127.0.0.1",
    "[::1]",
    "localhost",
    *"/?#@:&=%.\\[] \n\x00é。٣\ud800",
    "%74id=",
]


@given(
    url=st.builds(
        "{}{}".format,
        st.sampled_from(
            ["", "http://127.0.0.1", "http\u017f://example.com", "https://example.com", "HTTPS://Example.COM.:8443"]
        ),
        st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    ),
    allow_private=st.booleans(),
)
@example(url="https://example.com/é?%74=x", allow_private=False)  # so that one is accepted for certain
def test_any_text_is_accepted_or_refused_and_what_is_accepted_can_be_requested(
    url: str, *, allow_private: bool
) -> None:
    if code_of(url, allow_private=allow_private) is None:
        parsed = parse_callback_url(url)
        assert isinstance(parsed, CallbackUrl)
        assert parsed.scheme in {"http", "https"}
        assert urlsplit(parsed.origin + parsed.path).hostname == parsed.host.strip("[]")
        assert (parsed.origin + parsed.path + (parsed.query or "")).isascii()
