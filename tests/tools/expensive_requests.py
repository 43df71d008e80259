"""Searches for the most expensive anonymous request: `python -m tests.tools.expensive_requests`.

Each kind of request is a family with a size; the search climbs from random members of each family and keeps what costs
more CPU. It prints, for each family, the worst it found: milliseconds of CPU in this process, and bytes of the answer.
Nothing here has a credential that Vonage would accept, and Vonage itself is not asked.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from tests.der import diffie_hellman_key
from tests.world import REQUEST, World, bearer, make_world

LIMIT: Final = 64 * 1024
ROUNDS: Final = 40
HEADER_LIMIT: Final = 8000
"""What gunicorn lets through in one header."""

Send = Callable[[World, random.Random], TestResponse]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request cost."""

    cpu_ms: float
    answer_bytes: int
    status: int


def _json(world: World, body: Any, headers: dict[str, str] | None = None) -> TestResponse:
    text = body if isinstance(body, str) else json.dumps(body)
    return world.client.post("/call", data=text[:LIMIT], content_type="application/json", headers=headers or {})


def _filled(seed: str, random_: random.Random, size: int) -> str:
    return (seed * (size // max(len(seed), 1) + 1))[: random_.randint(size // 2, size)]


def many_unknown_fields(world: World, r: random.Random) -> TestResponse:
    return _json(world, {"dry_run": True} | {f"{r.choice('abtfp')}{n:x}": 1 for n in range(r.randint(3000, 5500))})


def long_unknown_names(world: World, r: random.Random) -> TestResponse:
    return _json(world, {_filled(r.choice(["callback", "a_", "é", "0"]), r, 60000): 1, "dry_run": True})


def deep_json(world: World, r: random.Random) -> TestResponse:
    depth = r.randint(500, 30000)
    return _json(world, r.choice(["[", '{"a":']) * depth)


def long_number(world: World, r: random.Random) -> TestResponse:
    return _json(world, '{"attempts":' + "9" * r.randint(3000, 60000) + "}")


def a_form_of_many_fields(world: World, r: random.Random) -> TestResponse:
    fields = [(f"n{n}", "%" * r.randint(1, 30)) for n in range(r.randint(100, 2000))]
    return world.client.post("/call", data=urlencode(fields)[:LIMIT], content_type="application/x-www-form-urlencoded")


def texts_of_markup(world: World, r: random.Random) -> TestResponse:
    seeds = [
        "<speak>",
        "<a ",
        "<break time='1s",
        "<say-as>",
        "&amp;",
        "<!--",
        "1 ",
        "<" * 3,
        "break time=",
        " \u200b",
        "1-",
    ]
    texts = {
        name: r.choice(["", "<speak>"]) + _filled(r.choice(seeds), r, 1490)
        for name in ("text", "bye_text", "failed_text")
    }
    return _json(world, REQUEST | texts | {"dry_run": True})


def long_texts(world: World, r: random.Random) -> TestResponse:
    seed = r.choice([" ", "\u200b", "1", "<", "&", "<speak>", "<p ", "\n", "'", '"'])
    return _json(
        world, REQUEST | {"text": r.choice(["", "<speak>", "a"]) + _filled(seed, r, 15000) + "x", "dry_run": True}
    )


def almost_json(world: World, r: random.Random) -> TestResponse:
    start = r.choice(["", "{", '{"a":', "a=", '{"a":"'])
    return _json(world, start + _filled(r.choice(["a", " ", ",", "'", "1", "[", "\n", "%"]), r, 60000))


def odd_numbers(world: World, r: random.Random) -> TestResponse:
    seeds = ["+", " ", "(", "-", "1", "00", "٣", "tel:"]
    return _json(
        world,
        REQUEST
        | {"to": _filled(r.choice(seeds), r, 20000), "from": _filled(r.choice(seeds), r, 20000), "dry_run": True},
    )


def odd_callbacks(world: World, r: random.Random) -> TestResponse:
    hosts = [
        "xn--" + "a" * 50,
        "\u00df" * 60,
        "a." * 120,
        "[" + "0:" * 40 + "]",
        "0x7f." * 30,
        "%41" * 60,
        "\u0130" * 60,
    ]
    return _json(
        world, REQUEST | {"callback": "https://" + r.choice(hosts) + "/" + _filled("?a=%2e", r, 1800), "dry_run": True}
    )


def long_tokens(world: World, r: random.Random) -> TestResponse:
    inner = r.choice(
        ["[" * 5000, '{"a":' * 900, '{"application_id":"' + "x" * 5000 + '"}', '{"exp":' + "9" * 5000 + "}"]
    )
    payload = base64.urlsafe_b64encode(inner.encode()).decode().rstrip("=")
    return _json(world, REQUEST, {"Authorization": f"Bearer a.{payload[: HEADER_LIMIT - 20]}.c"})


def tokens_of_many_claims(world: World, r: random.Random) -> TestResponse:
    name = r.choice(["a", "\u00df", "\ufdfa", "\u0130", "\u1100\u1161", "application_id\u200b"])
    claims = "{" + ",".join(f'"{name}{n:x}":1' for n in range(1500)) + "}"
    payload = base64.urlsafe_b64encode(claims.encode()[: (HEADER_LIMIT - 20) * 3 // 4 - 1] + b"}").decode().rstrip("=")
    return _json(world, REQUEST, {"Authorization": f"Bearer a.{payload}.c"})


def dots_for_a_token(world: World, r: random.Random) -> TestResponse:
    return _json(world, REQUEST, {"Authorization": "Bearer " + "." * r.randint(100, HEADER_LIMIT)})


def long_private_keys(world: World, r: random.Random) -> TestResponse:
    body = base64.encodebytes(bytes(r.randrange(256) for _ in range(r.randint(1000, 12000)))).decode()
    key = f"-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----"
    return _json(
        world,
        REQUEST
        | {
            "private_key": r.choice([key, "-----BEGIN " * 1400, "\\n" * 8000]),
            "app_id": "684027bc-a2e7-48b1-b4bd-adc02324e09c",
        },
    )


def private_keys_of_another_kind(world: World, _r: random.Random) -> TestResponse:
    key = diffie_hellman_key(9000)
    return _json(world, REQUEST | {"private_key": key, "app_id": "684027bc-a2e7-48b1-b4bd-adc02324e09c"})


def the_largest_private_key(world: World, _r: random.Random) -> TestResponse:
    return _json(world, REQUEST | {"private_key": _largest_key(), "app_id": "684027bc-a2e7-48b1-b4bd-adc02324e09c"})


def forged_tokens_with_a_key(world: World, r: random.Random) -> TestResponse:
    return _json(world, REQUEST, bearer(world.clock, jti=str(r.random())) | {"Idempotency-Key": "k"})


def looks_at_calls_of_others(world: World, r: random.Random) -> TestResponse:
    tid = r.choice([str(uuid.UUID(int=r.getrandbits(128))), "x" * r.randint(1, 6000), "%ff" * r.randint(1, 2000)])
    return world.client.get(f"/call/{tid}", headers=bearer(world.clock, jti=str(r.random())))


def long_paths_and_queries(world: World, r: random.Random) -> TestResponse:
    path = r.choice(
        ["/" * 4000, "/call/" + "a/" * 2000, "/call/x?" + "&" * 4000, "/?" + "a=1&" * 1000, "/?a" + "%41" * 1300]
    )
    return world.client.open(path, method=r.choice(["GET", "POST", "DELETE", "BREW"]))


def endless_targets(world: World, r: random.Random) -> TestResponse:
    """The server bounds no target."""
    query = r.choice(["a=&", "&a", "a", "%41"]) * 300_000
    return world.client.get(
        r.choice([f"/call/x?{query}", f"/answer/x?{query}", "/" * 500_000, "/call/" + "a/" * 500_000])
    )


def many_headers(world: World, r: random.Random) -> TestResponse:
    headers = {f"X-{n}": "," * r.randint(1, 5000) for n in range(90)}
    return _json(world, REQUEST, headers | {"X-Cloud-Trace-Context": "a/" * 3000, "Idempotency-Key": '"' * 8000})


def webhooks_of_nobody(world: World, r: random.Random) -> TestResponse:
    body = r.choice([{"dtmf": "1" * 60000}, {"a" * 60000: 1}, {f"k{n}": 1 for n in range(6000)}])
    path = f"/input/6a2827c9-4c68-46fc-b179-115f055dc0eb?token={'x' * r.randint(1, 3000)}&step=1"
    return world.client.post(path, json=body)


def the_description(world: World, _r: random.Random) -> TestResponse:
    return world.client.get("/openapi.json")


FAMILIES: Final[tuple[Send, ...]] = (
    many_unknown_fields,
    long_unknown_names,
    deep_json,
    long_number,
    a_form_of_many_fields,
    texts_of_markup,
    long_texts,
    almost_json,
    odd_numbers,
    odd_callbacks,
    long_tokens,
    tokens_of_many_claims,
    dots_for_a_token,
    long_private_keys,
    private_keys_of_another_kind,
    the_largest_private_key,
    forged_tokens_with_a_key,
    looks_at_calls_of_others,
    long_paths_and_queries,
    endless_targets,
    many_headers,
    webhooks_of_nobody,
    the_description,
)

_keys: list[str] = []


def _largest_key() -> str:
    if not _keys:
        from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - the search alone needs it
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

        key = rsa.generate_private_key(65537, 4096)
        _keys.append(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    return _keys[0]


def cost_of(send: Send, world: World, seed: int) -> Cost:
    """Return the cost of one member of a family; the cheapest of three times, as the machine is shared."""
    times = []
    for _ in range(3):
        began = time.process_time()
        response = send(world, random.Random(seed))
        times.append((time.process_time() - began) * 1000)
    return Cost(min(times), len(response.data), response.status_code)


def worst_of(send: Send, world: World, rounds: int) -> Cost:
    """Return the worst member that was found."""
    send(world, random.Random(0))
    return max((cost_of(send, world, seed) for seed in range(rounds)), key=lambda cost: cost.cpu_ms)


def main() -> None:
    """Print the worst request of each family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        usual = statistics.median(cost_of(_usual, world, n).cpu_ms for n in range(rounds))
        print(f"{'a usual request':<28} {usual:8.2f} ms")  # noqa: T201 - what a command is for
        for send in FAMILIES:
            cost = worst_of(send, world, rounds)
            name = send.__name__.replace("_", " ")
            print(f"{name:<28} {cost.cpu_ms:8.2f} ms {cost.answer_bytes:8} bytes  {cost.status}")  # noqa: T201


def _usual(world: World, r: random.Random) -> TestResponse:
    return _json(world, REQUEST | {"dry_run": True, "reference": str(r.random())})


if __name__ == "__main__":
    main()
