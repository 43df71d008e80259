// Puts the page together: what the phone says goes to its parts, and what they want goes to the phone.

import * as calls from "./calls.js";
import * as clock from "./clock.js";
import { byId, setText } from "./dom.js";
import * as form from "./form.js";
import * as keyboard from "./keyboard.js";
import * as numbers from "./numbers.js";
import * as phone from "./phone.js";
import * as recent from "./recent.js";
import * as sound from "./sound.js";
import { listen } from "./stream.js";
import * as switches from "./switches.js";
import * as timeline from "./timeline.js";
import * as voice from "./voice.js";

let run = null;

function render() {
  phone.render();
  recent.render(select);
}

function select(call) {
  calls.select(call.key);
  timeline.filter(call.key, call.to);
  render();
}

function onSettings(settings) {
  if (run !== null && run !== settings.run) {
    // The phone was started anew: what it told before is no more.
    calls.forget();
    timeline.forget();
    timeline.filter(null);
  }
  run = settings.run;
  clock.set(settings.now_s, settings.speed);
  switches.render(settings);
  numbers.render(settings.numbers, (number, what) => form.fill(number, what, settings));
  byId("place").disabled = byId("sweep").disabled = !settings.has_service;
  if (!settings.has_service) setText(byId("order-status"), "There is no service beside this phone; make run starts both.");
  render();
}

function onCall(call) {
  const before = calls.update(call);
  render();
  phone.speak(call, before);
}

function onLink(isUp) {
  setText(byId("link"), isUp ? "Live" : "Connection lost; trying again…");
  document.body.dataset.link = isUp ? "up" : "down";
  phone.connected(isUp);
}

function showSound() {
  byId("sound").setAttribute("aria-pressed", String(sound.on()));
  setText(byId("sound"), sound.on() ? "Sound on" : "Sound off");
}

// Where there is room for them, the test numbers are in sight.
byId("numbers-panel").open = matchMedia("(min-width: 720px)").matches;
phone.start();
keyboard.start();
switches.start();
form.start(phone.expect);
timeline.start(() => timeline.filter(null));
byId("lines").addEventListener("selected", render);
byId("sound").onclick = () => {
  sound.turn(!sound.on());
  if (!sound.on()) voice.hush();
  showSound();
};
for (const gesture of ["pointerdown", "keydown"]) document.addEventListener(gesture, sound.wake);
showSound();
listen({ settings: onSettings, call: onCall, line: timeline.add, link: onLink });
