"""A person at the page, in a real browser, with the real service."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from devphone.callee.numbers import NUMBERS
from devphone.processes.pair import Pair
from devphone.vendor.habits import Habit
from tests.canaries import by_itself

_numbers = count(447700901000)


def place(page: Page, **fields: str) -> str:
    """Ask for a call by the form, to a number of its own; return the number."""
    number = fields.pop("to", str(next(_numbers)))
    page.get_by_label("To", exact=True).fill(number)
    if fields.keys() - {"text", "pin_code"}:
        page.get_by_text("All fields").click()
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Call", exact=True).click()
    return number


def answer(page: Page) -> None:
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(state(page)).to_have_text("Waiting for keys")


def press(page: Page, keys: str) -> None:
    keypad = page.get_by_role("group", name="Keypad")
    for key in keys:
        keypad.get_by_role("button", name=key, exact=True).click()


def state(page: Page) -> Locator:
    return page.locator("#state")


def caption(page: Page) -> Locator:
    return page.locator("#caption")


def outcome(page: Page) -> Locator:
    return page.locator("#outcome")


def line(page: Page, text: str) -> Locator:
    """Return the lines of the timeline that came since this test began and hold a text."""
    before = page.locator("body").get_attribute("data-lines")
    return page.locator(f"#timeline > li:nth-child(n+{int(before or 0) + 1})").filter(has_text=re.compile(text))


def test_a_wrong_and_the_right_pin_by_mouse_end_in_ok(page: Page) -> None:
    number = place(page, text="Say your <b>PIN</b> & wait.", pin_code="2580")
    expect(state(page)).to_have_text("Incoming call")
    expect(page.locator("#party")).to_have_text("From 447700900999")

    answer(page)
    expect(caption(page)).to_have_text("Say your <b>PIN</b> & wait.")
    press(page, "1111")
    expect(caption(page)).to_have_text("That was not right. Please try again.")
    press(page, "2580")

    expect(caption(page)).to_have_text("Thank you, goodbye.")
    expect(outcome(page)).to_have_text("✓ ok pin_matched · answered by a human · signature verified")
    expect(page.locator("#calls button").first).to_contain_text(f"{number} ok")


def test_the_keyboard_alone_suffices(page: Page) -> None:
    page.get_by_label("To", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Answer", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(state(page)).to_have_text("Waiting for keys")
    page.keyboard.type("99#")
    expect(caption(page)).to_contain_text("not right")
    page.keyboard.type("1234")

    expect(outcome(page)).to_contain_text("ok pin_matched")


def test_the_timeline_shows_each_message_with_its_body_and_without_secrets(page: Page) -> None:
    place(page, pin_code="2580")
    answer(page)
    press(page, "1379")
    expect(caption(page)).to_contain_text("not right")  # between two questions nobody listens
    press(page, "2580")
    expect(outcome(page)).to_contain_text("ok")

    expect(line(page, "You → Service.*posts a request")).to_have_count(1)
    expect(line(page, "Service → You.*answers you.*200 · [0-9]+ ms")).to_have_count(1)
    expect(line(page, "Service → Vonage.*asks for a call.*201")).to_have_count(1)
    expect(line(page, "Vonage → Service.*reports answered.*204 · [0-9]+ ms")).to_have_count(1)
    keys = line(page, "reports the keys.*/input step 1.*200 · [0-9]+ ms")
    keys.locator("summary").click()
    expect(keys.locator("pre").last).to_contain_text('"action": "talk"')
    expect(line(page, "calls back.*ok · pin_matched · signature verified")).to_have_count(1)
    everything = page.locator("#timeline").inner_html()
    assert re.search(f"{by_itself('2580')}|{by_itself('1379')}", everything) is None
    assert re.search(r"token=[^…]", everything) is None
    assert "eyJ" not in everything


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_a_call_that_rings_can_be_rejected(page: Page, how: str) -> None:
    place(page)
    expect(state(page)).to_have_text("Incoming call")
    if how == "mouse":
        page.get_by_role("button", name="Reject", exact=True).click()
    else:
        page.keyboard.press("Escape")

    expect(state(page)).to_have_text("Rejected")
    expect(outcome(page)).to_contain_text("error rejected")


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_a_call_can_be_hung_up(page: Page, how: str) -> None:
    place(page)
    answer(page)
    press(page, "12")
    if how == "mouse":
        page.get_by_role("button", name="Hang up").click()
    else:
        page.keyboard.press("Escape")

    expect(state(page)).to_have_text("Call over")
    expect(outcome(page)).to_contain_text("failed hung_up")


def test_keys_arrive_in_the_order_in_which_they_were_pressed(page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)
        if len(held) > 1:
            route.continue_()

    place(page, pin_code="2580")
    answer(page)
    page.route("**/keys", hold)
    page.keyboard.type("2580")
    expect(page.locator("#keypad .down")).to_have_count(0)
    assert len(held) == 1
    held[0].continue_()

    expect(outcome(page)).to_contain_text("ok pin_matched · answered by a human · signature verified")


def test_a_key_interrupts_the_speech(page: Page) -> None:
    place(page, text="A long text. " * 20)
    answer(page)
    expect(page.locator("#phone")).to_have_class(re.compile("speaking"))
    press(page, "1")

    expect(page.locator("#phone")).not_to_have_class(re.compile("speaking"))
    expect(page.get_by_label("1 of 4 keys")).to_be_visible()


def test_faults_of_the_request_are_shown_at_their_fields(page: Page) -> None:
    place(page, to="12", pin_code="12a4", attempts="many")

    words = {"to": "has 7 to 15 digits", "pin_code": "This must", "attempts": "This must"}
    for name, said in words.items():
        field = page.locator(f"[name={name}]")
        expect(field).to_have_attribute("aria-invalid", "true")
        fault = page.locator(f"#{field.get_attribute('aria-describedby')}")
        expect(fault).to_be_visible()
        expect(fault).to_contain_text(said)
    expect(page.get_by_label("To", exact=True)).to_be_focused()
    expect(page.locator("#order-status")).to_contain_text("422")

    place(page, pin_code="1234")
    expect(page.locator("[name=to]")).not_to_have_attribute("aria-invalid", "true")


def test_reloading_in_mid_call_loses_nothing(page: Page) -> None:
    place(page, text="A text to be kept. " * 8, pin_code="2580")
    answer(page)
    press(page, "25")
    expect(page.get_by_label("2 of 4 keys")).to_be_visible()
    expect(line(page, "reports answered")).to_have_count(1)
    lines = page.locator("#timeline > li")
    seen = lines.all_inner_texts()

    page.reload()

    expect(state(page)).to_have_text("Waiting for keys")
    expect(caption(page)).to_contain_text("A text to be kept.")
    expect(page.get_by_label("2 of 4 keys")).to_be_visible()
    expect(page.locator("#timer")).to_have_text(re.compile("0:[0-9]{2}"))
    expect(page.locator("[name=pin_code]")).to_have_value("2580")
    expect(lines.nth(len(seen) - 1)).to_be_attached()
    assert lines.all_inner_texts()[: len(seen)] == seen
    page.keyboard.type("80")
    expect(outcome(page)).to_contain_text("ok pin_matched")

    page.reload()
    expect(page.locator("#calls button").first).to_contain_text("ok")
    expect(page.locator("#calls button").first).to_contain_text("signature verified")


def test_a_connection_that_breaks_goes_on_where_it_was(page: Page, pair: Pair) -> None:
    place(page)
    expect(line(page, "reports ringing")).to_have_count(1)
    bell = pair.board.phone.page.bell
    bell.close()
    expect(page.locator("#link")).to_contain_text("lost")
    bell.is_closed = False
    expect(line(page, "reports answered")).to_have_count(0)

    expect(page.locator("#link")).to_have_text("Live")
    answer(page)
    expect(line(page, "reports answered")).to_have_count(1)
    numbers = page.locator("#timeline > li").evaluate_all("items => items.map(item => Number(item.dataset.line))")
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_several_calls_are_taken_one_after_the_other(page: Page) -> None:
    first = place(page, pin_code="1111")
    answer(page)
    second = place(page, pin_code="2222")
    calls_under_way = page.get_by_role("group", name="Calls under way")
    calls_under_way.get_by_role("button", name=f"{second} rings").click()
    answer(page)
    press(page, "2222")
    expect(page.locator("#calls button").filter(has_text=second)).to_contain_text("ok")
    calls_under_way.get_by_role("button", name=f"{first} talking").click()
    press(page, "1111")

    expect(outcome(page)).to_contain_text("ok pin_matched")
    expect(page.locator("#calls button").filter(has_text=first)).to_contain_text("ok")


def test_a_test_number_fills_the_form_and_is_played_by_its_script(page: Page) -> None:
    page.get_by_label("PIN", exact=True).fill("9999")
    page.locator("#numbers button").filter(has_text="447700900001").click()
    expect(page.get_by_label("To", exact=True)).to_have_value("447700900001")
    expect(page.get_by_label("PIN", exact=True)).to_have_value("1234")
    expect(page.get_by_role("button", name="Call", exact=True)).to_be_focused()
    expect(page.locator("#order-status")).to_have_text("447700900001: right first time.")
    page.keyboard.press("Enter")
    expect(state(page)).to_have_text("Ringing, played by a script")
    expect(page.get_by_role("button", name="Answer", exact=True)).to_be_disabled()

    expect(outcome(page)).to_contain_text("ok pin_matched")


def test_every_test_number_is_on_the_page(page: Page) -> None:
    expect(page.locator("#numbers button")).to_have_count(len(NUMBERS))


def test_the_sweep_says_what_it_did(page: Page) -> None:
    page.get_by_role("button", name="Run the sweep").click()

    expect(page.locator("#sweep-status")).to_contain_text("Swept:")
    expect(line(page, "You → Service.*sweeps.*200")).to_have_count(1)


def test_a_callback_that_was_refused_is_delivered_by_the_sweep(page: Page) -> None:
    page.locator("#f-callback").evaluate("field => { field.value += '/fails-twice' }")
    place(page)
    answer(page)
    press(page, "1234")
    expect(outcome(page)).to_contain_text("refused, to be tried again")

    button, said = page.get_by_role("button", name="Run the sweep"), page.locator("#calls button").first
    while "3 tries" not in said.inner_text():
        button.click()
        expect(button).to_be_enabled()
    expect(outcome(page)).to_have_text("✓ ok pin_matched · answered by a human · signature verified · 3 tries")


def test_faults_are_switched_on_and_stay_on_after_a_reload(page: Page) -> None:
    page.get_by_text("Faults", exact=False).first.click()
    page.get_by_label("Each arrives twice").check()
    expect(page.locator("#faults-on")).to_have_text("1 on")
    page.reload()
    expect(page.locator("#faults-on")).to_have_text("1 on")

    place(page)
    answer(page)
    press(page, "1234")

    expect(outcome(page)).to_contain_text("ok pin_matched")
    expect(line(page, "reports the keys.*sent 2 times")).to_have_count(1)


def test_every_habit_has_a_switch(page: Page) -> None:
    switches = page.locator("[data-habit]").evaluate_all("boxes => boxes.map(box => box.dataset.habit)")

    assert sorted(switches) == sorted(Habit)


def test_a_call_can_be_looked_at_alone(page: Page) -> None:
    place(page)
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(outcome(page)).to_contain_text("rejected")
    number = place(page)
    expect(state(page)).to_have_text("Incoming call")
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(outcome(page)).to_contain_text("rejected")
    expect(line(page, "rejects the call")).to_have_count(2)
    page.locator("#calls button").filter(has_text=number).click()

    expect(line(page, "rejects the call").locator("visible=true")).to_have_count(1)
    page.get_by_role("button", name="Show all").click()
    expect(line(page, "rejects the call").locator("visible=true")).to_have_count(2)


def test_the_timeline_waits_for_whoever_reads_and_says_what_is_new(page: Page) -> None:
    place(page)
    expect(line(page, "reports ringing")).to_have_count(1)
    newer = page.locator("#newer")
    expect(newer).to_be_hidden()
    asked = line(page, "asks for a call").last
    asked.locator("summary").click()
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(outcome(page)).to_contain_text("rejected")

    expect(newer).to_have_text(re.compile("^[0-9]+ new lines? ↓$"))
    expect(asked.locator("summary")).to_be_in_viewport()
    newer.click()
    expect(newer).to_be_hidden()
    expect(line(page, "calls back")).to_be_in_viewport()


def test_a_call_is_found_by_its_tid(page: Page) -> None:
    for _ in range(2):
        place(page)
        expect(state(page)).to_have_text("Incoming call")
        page.get_by_role("button", name="Reject", exact=True).click()
        expect(outcome(page)).to_contain_text("rejected")
    tid = page.locator("#calls .tid").first.inner_text()
    page.get_by_label("Find in the timeline").fill(f"{tid} rejects")

    expect(page.locator("#timeline > li:visible")).to_have_count(1)
    page.get_by_label("Find in the timeline").fill("")
    expect(line(page, "rejects the call").locator("visible=true")).to_have_count(2)


def test_a_callback_shows_its_url_headers_and_signature(page: Page) -> None:
    place(page)
    page.get_by_role("button", name="Reject", exact=True).click()
    called_back = line(page, "calls back.*error · rejected")
    called_back.locator("summary").click()

    expect(called_back.locator("h3")).to_have_text(["tid", "URL", "Headers", "Signature", "Fields"])
    expect(called_back).to_contain_text('"webhook-signature": "v1,')


def test_outcomes_differ_in_colour_and_sign(page: Page) -> None:
    looks = []
    for number, status in (("447700900001", "ok"), ("447700900005", "failed"), ("447700900008", "error")):
        page.locator("#numbers button").filter(has_text=number).click()
        page.keyboard.press("Enter")
        call = page.locator("#calls button").first
        expect(call).to_contain_text(f"{number} {status}")
        colour = call.locator(".mark").evaluate("mark => getComputedStyle(mark).color")
        looks.append((call.locator(".mark").inner_text(), colour))

    assert [sign for sign, _ in looks] == ["✓", "✕", "!"]
    assert len({colour for _, colour in looks}) == 3


def test_the_phone_says_whom_machine_detection_takes_the_callee_for(page: Page) -> None:
    page.get_by_text("All fields").click()
    page.get_by_label("When a machine answers").select_option("go on")
    place(page)
    page.get_by_role("button", name="Answer", exact=True).click()

    expect(state(page)).to_have_text("Waiting for keys, taken for a human")


def test_the_rate_is_switched_on_and_stays_on_after_a_reload(page: Page, pair: Pair) -> None:
    page.get_by_text("Faults", exact=False).first.click()
    page.get_by_label("More than one a second gets 429").check()
    expect(page.locator("#faults-on")).to_have_text("1 on")
    assert pair.board.phone.behaviour.rate == 1
    page.reload()
    expect(page.get_by_label("More than one a second gets 429")).to_be_checked()


def test_the_title_rings(page: Page) -> None:
    before = page.title()
    place(page)
    expect(page).to_have_title("☎ 447700900999 is calling")
    page.get_by_role("button", name="Answer", exact=True).click()
    expect(page).to_have_title(before)


def test_a_lost_connection_greys_the_phone_out(page: Page, pair: Pair) -> None:
    place(page)
    expect(state(page)).to_have_text("Incoming call")
    bell = pair.board.phone.page.bell
    bell.close()
    expect(state(page)).to_have_text("Connection lost")
    expect(page.get_by_role("button", name="Answer", exact=True)).to_be_disabled()
    expect(page.locator("#phone")).to_have_css("opacity", "0.55")
    bell.is_closed = False

    expect(state(page)).to_have_text("Incoming call")
    expect(page.get_by_role("button", name="Answer", exact=True)).to_be_enabled()
    expect(page.locator("#phone")).to_have_css("opacity", "1")


def test_seven_tabs_share_one_stream(page: Page, pair: Pair) -> None:
    tabs = [page, *(page.context.new_page() for _ in range(6))]
    for tab in tabs[1:]:
        tab.goto(pair.board.url)
        expect(tab.get_by_text("Live", exact=True)).to_be_visible()
    assert len(pair.board.phone.page.bell._waiting) == 1

    number = place(tabs[-1])
    for tab in tabs:
        expect(state(tab)).to_have_text("Incoming call")
    tabs[3].get_by_role("button", name="Reject", exact=True).click()
    for tab in tabs:
        expect(tab.locator("#calls button").first).to_contain_text(f"{number} error")


def test_texts_run_in_the_direction_of_their_script(page: Page) -> None:
    place(page, text="שלום, נא להקיש את הקוד.")
    answer(page)

    expect(caption(page)).to_have_css("direction", "rtl")
    expect(page.get_by_label("Text", exact=True)).to_have_css("direction", "rtl")


def idle(_: Page) -> None:
    """Nothing has happened."""


def faulty(page: Page) -> None:
    place(page, to="12")
    expect(page.locator("#f-to-fault")).to_be_visible()


def ringing(page: Page) -> None:
    place(page)
    expect(state(page)).to_have_text("Incoming call")


def asked(page: Page) -> None:
    place(page)
    answer(page)
    press(page, "12")


def over(page: Page) -> None:
    asked(page)
    press(page, "34")
    expect(outcome(page)).to_contain_text("ok")
    page.get_by_text("Faults", exact=False).first.click()
    line(page, "reports the keys").last.locator("summary").click()


@pytest.mark.parametrize("scene", [idle, faulty, ringing, asked, over])
def test_axe_finds_no_barrier_in_light_or_dark(page: Page, scene: Callable[[Page], None]) -> None:
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    scene(page)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()

    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [360, 900, 1600])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    place(page, text="Averyverylongword" * 20)
    answer(page)
    line(page, "asks for a call").last.locator("summary").click()

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_asked_of_other_machines(page: Page, pair: Pair) -> None:
    asked_of: list[str] = []
    page.on("request", lambda request: asked_of.append(request.url))
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    place(page)
    page.get_by_role("button", name="Reject", exact=True).click()
    expect(outcome(page)).to_contain_text("rejected")

    assert asked_of
    assert all(url.startswith(f"{pair.board.url}/") for url in asked_of)
