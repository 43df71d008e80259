"""What the page is told, as JSON: `events.schema.json` beside this file is made of these types."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from devphone.happenings import Happening, Party
from devphone.pace import Pace, iso
from devphone.telling import tell
from devphone.vendor.faulty_sender import Faults
from devphone.vendor.habits import Habit
from devphone.vendor.leg import Leg


class _Message(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        from_attributes=True,
        populate_by_name=True,
        alias_generator=lambda name: name.rstrip("_"),
    )


class NumberMessage(_Message):
    """A test number, and what it does."""

    number: str
    what: str


class SettingsMessage(_Message):
    """The phone itself. `run` changes when it is started anew; `now_s` is telephone time, at `speed`.

    `rate`: most new calls a second, None for no limit.
    """

    run: str
    now_s: float
    speed: float
    has_service: bool
    pin: str
    reject_code: str
    numbers: list[NumberMessage]
    habits: list[Habit]
    faults: Faults
    rate: float | None


class QuestionMessage(_Message):
    """An open question; `keyed` keys have been pressed, never which."""

    most: int
    submits_on_hash: bool
    until_s: float
    keyed: int


class LegMessage(_Message):
    """The telephone's side of a call; `person`: somebody at the page answers, not a script."""

    from_: str
    status: str
    person: bool
    verdict: Literal["human", "machine"] | None
    rings_until_s: float
    answered_s: float | None
    ended_s: float | None
    caption: str
    language: str
    captions: int
    speaks_until_s: float
    question: QuestionMessage | None

    @classmethod
    def of(cls, leg: Leg) -> LegMessage:
        """Describe a call of Vonage's."""
        scene, question = leg.scene, leg.scene.question
        return cls(
            from_=leg.from_,
            status=leg.status,
            person=leg.person is not None,
            verdict=leg.verdict,
            rings_until_s=scene.rings_until_s,
            answered_s=scene.answered_s,
            ended_s=scene.ended_s,
            caption=scene.caption,
            language=scene.language,
            captions=scene.captions,
            speaks_until_s=scene.speaks_until_s,
            question=None if question is None else QuestionMessage.model_validate(question),
        )


class OutcomeMessage(_Message):
    """What the last callback said. `verified`: None when its signature was not checked; `taken`: it need not return."""

    status: str
    reason: str | None
    answered_by: str | None
    verified: bool | None
    taken: bool


class CallMessage(_Message):
    """One call. `key`: its tid, or Vonage's uuid for a call of another program. `answer`: of `POST /call`."""

    key: str
    tid: str | None
    uuid: str | None
    to: str
    at_s: float
    answer: int | None
    outcome: OutcomeMessage | None
    tries: int
    leg: LegMessage | None


class BodyMessage(_Message):
    """What was sent or received, secrets masked."""

    name: str
    value: Any


class LineMessage(_Message):
    """A line of the timeline; `key` is of the call it is about."""

    line: int
    at: str
    at_s: float
    from_: Party
    to: Party
    key: str | None
    words: str
    detail: str
    result: int | str | None
    is_fault: bool
    seconds: float | None
    bodies: list[BodyMessage]

    @classmethod
    def of(cls, number: int, happening: Happening, pace: Pace) -> LineMessage:
        """Tell a happening."""
        told = tell(happening)
        return cls(
            line=number,
            at=iso(pace.at(happening.at_s)),
            at_s=round(happening.at_s, 2),
            from_=happening.from_,
            to=happening.to,
            key=happening.key,
            words=told.words,
            detail=" · ".join(told.facts),
            result=told.result,
            is_fault=told.is_fault,
            seconds=told.took_s,
            bodies=[BodyMessage(name=name, value=value) for name, value in told.bodies.items()],
        )


class Events(_Message):
    """The data of each kind of event, by its name."""

    settings: SettingsMessage
    call: CallMessage
    line: LineMessage


SCHEMA: Final[dict[str, Any]] = Events.model_json_schema(mode="serialization")


def as_json(message: BaseModel) -> dict[str, Any]:
    """Return a message as it goes to the page."""
    return message.model_dump(mode="json", by_alias=True)
