// The telephone: what the selected call shows and says, and what the hand does with it.

import { act } from "./api.js";
import * as calls from "./calls.js";
import * as clock from "./clock.js";
import { byId, make, setText } from "./dom.js";
import * as sound from "./sound.js";
import * as voice from "./voice.js";

const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ" };
const KEYS = [..."123456789*0#"];
const NAMES = { "*": "star", "#": "hash" };
const TITLE = document.title;

// The tid of the call that this page asked for last: when it rings, the hand goes to the button.
let expected = null;
let isUp = null;
let spoken = { key: null, captions: 0, text: "" };

export function start() {
  byId("keypad").append(...KEYS.map(keyButton));
  byId("answer").onclick = () => answer();
  byId("reject").onclick = () => reject();
  byId("hang-up").onclick = () => hangUp();
  setInterval(tick, 200);
}

export const expect = (tid) => {
  expected = tid;
  focusIfExpected();
};

export function connected(newIsUp) {
  isUp = newIsUp;
  render();
}

export async function answer() {
  const call = calls.selected();
  if (!call || !calls.ringsHere(call)) return;
  await act(call, "answer");
  byId("phone").focus({ preventScroll: true });
}

export function reject() {
  const call = calls.selected();
  if (call && calls.ringsHere(call)) act(call, "reject");
}

export function hangUp() {
  const call = calls.selected();
  if (call && isMine(call)) act(call, "hang-up");
}

// Tells whether there was something to press a key for.
export function press(key) {
  const call = calls.selected();
  if (!call || !isMine(call)) return false;
  sound.key(key);
  if (call.leg.question) voice.hush();
  act(call, "keys", { key });
  const button = byId("keypad").querySelector(`[data-key="${CSS.escape(key)}"]`);
  button.classList.add("down");
  setTimeout(() => button.classList.remove("down"), 150);
  return true;
}

export function render() {
  const call = calls.selected();
  renderLines(call);
  const phase = call ? calls.phase(call) : "none";
  byId("phone").dataset.phase = phase;
  setText(byId("party"), call ? party(call) : "No call");
  const idle = "Place a call, and it rings here.";
  setText(byId("state"), isUp === false ? "Connection lost" : call ? state(call, phase) : idle);
  setText(byId("caption"), phase === "talking" ? call.leg.caption : "");
  renderOutcome(call);
  byId("caption").lang = call?.leg?.language ?? "en";
  const mine = Boolean(call && isMine(call));
  const rings = Boolean(call && calls.ringsHere(call));
  byId("answer").disabled = byId("reject").disabled = !rings || !isUp;
  byId("hang-up").disabled = !isUp;
  byId("answer").hidden = byId("reject").hidden = mine;
  byId("hang-up").hidden = !mine;
  for (const button of byId("keypad").children) button.disabled = !mine || !isUp;
  renderQuestion(call);
  const ringing = isUp ? calls.underWay().filter(calls.ringsHere) : [];
  sound.ring(ringing.length > 0);
  document.title = ringing.length ? `☎ ${ringing[0].leg.from} is calling` : TITLE;
  focusIfExpected();
  tick();
}

// Speaks what is new. What was said before this page was opened is not said again.
export function speak(call, before) {
  if (call !== calls.selected() || calls.phase(call) !== "talking") {
    if (spoken.key === call.key) voice.hush();
    return;
  }
  const { captions, caption, language, speaks_until_s: until } = call.leg;
  const isNew = before && captions > (before.leg?.captions ?? 0);
  if (isNew && sound.on()) {
    const goesOn = spoken.key === call.key && spoken.text && caption.startsWith(`${spoken.text} `);
    if (!goesOn) voice.hush();
    voice.say(goesOn ? caption.slice(spoken.text.length) : caption, language, clock.speed);
  } else if (spoken.key === call.key && until <= clock.now() && call.leg.question?.keyed) {
    voice.hush();
  }
  spoken = { key: call.key, captions, text: caption };
}

function keyButton(key) {
  const button = make("button", { type: "button", disabled: true, dataset: { key } }, make("b", { textContent: key }));
  button.append(make("small", { textContent: LETTERS[key] ?? "" }));
  button.setAttribute("aria-label", NAMES[key] ?? key);
  button.onclick = () => press(key);
  return button;
}

const isMine = (call) => calls.phase(call) === "talking" && call.leg.person;
const party = (call) => (call.leg?.person === false ? `To ${call.to}` : call.leg ? `From ${call.leg.from}` : `To ${call.to}`);

function state(call, phase) {
  const script = call.leg && !call.leg.person ? ", played by a script" : "";
  const verdict = call.leg?.verdict ? `, taken for a ${call.leg.verdict}` : "";
  if (phase === "asked") return call.answer === null ? "Asked for" : `POST /call was answered ${call.answer}`;
  if (phase === "ringing") return script ? `Ringing${script}` : "Incoming call";
  if (phase === "talking") return call.leg.question ? `Waiting for keys${script}${verdict}` : `Connected${script}${verdict}`;
  return calls.ending(call.leg.status);
}

function renderOutcome(call) {
  const said = call && calls.outcome(call);
  const isOver = call && !calls.isUnderWay(call);
  const text = said ? `${said.mark} ${said.status} ${said.details}` : "No callback yet";
  const line = byId("outcome");
  line.dataset.status = said?.status ?? "";
  if (!isOver) line.replaceChildren();
  else if (line.textContent !== text) {
    line.replaceChildren(...(said ? [make("b", { textContent: `${said.mark} ${said.status}` }), " ", make("span", { textContent: said.details })] : [text]));
  }
}

function renderLines(current) {
  const under = calls.underWay();
  const bar = byId("lines");
  bar.hidden = under.length < 2 && !(under.length === 1 && under[0] !== current);
  const buttons = under.map((call) => {
    const button = make("button", { type: "button", dataset: { key: call.key } });
    button.textContent = `${call.to} ${calls.ringsHere(call) ? "rings" : calls.phase(call)}`;
    button.setAttribute("aria-pressed", String(call === current));
    button.onclick = () => {
      calls.select(call.key);
      bar.dispatchEvent(new CustomEvent("selected", { bubbles: true }));
    };
    return button;
  });
  const focused = document.activeElement?.closest("#lines button")?.dataset.key;
  bar.replaceChildren(...buttons);
  buttons.find((button) => button.dataset.key === focused)?.focus();
}

function renderQuestion(call) {
  const question = call?.leg?.question;
  byId("question").hidden = !question;
  if (!question) return;
  const open = Math.max(question.most - question.keyed, 0);
  setText(byId("keyed"), "●".repeat(question.keyed) + "○".repeat(open));
  byId("keyed").setAttribute("aria-label", `${question.keyed} of ${question.most} keys`);
  byId("keyed").setAttribute("role", "img");
}

// Everything that only time changes.
function tick() {
  const call = calls.selected();
  const leg = call?.leg;
  setText(byId("timer"), leg ? timer(leg) : "");
  byId("phone").classList.toggle("speaking", Boolean(leg && clock.now() < leg.speaks_until_s));
  const question = leg?.question;
  if (!question) return;
  const left = question.until_s - clock.now();
  const isSpeaking = clock.now() < leg.speaks_until_s;
  setText(byId("countdown"), isSpeaking ? "speaking; a key interrupts" : `${Math.max(0, Math.ceil(left))} s`);
}

function timer(leg) {
  if (leg.answered_s !== null) return clock.minutes((leg.ended_s ?? clock.now()) - leg.answered_s);
  return leg.ended_s === null ? `${Math.max(0, Math.ceil(leg.rings_until_s - clock.now()))} s` : "";
}

function focusIfExpected() {
  const call = calls.selected();
  if (!call || call.key !== expected || !calls.ringsHere(call)) return;
  expected = null;
  byId("answer").focus();
}
