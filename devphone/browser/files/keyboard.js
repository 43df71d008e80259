// The keyboard as the telephone's keys, while the focus is in the phone or nowhere.

import * as calls from "./calls.js";
import { byId } from "./dom.js";
import * as phone from "./phone.js";

export function start() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !isForThePhone(event.target)) return;
    if (handle(event)) event.preventDefault();
  });
}

function isForThePhone(target) {
  return target === document.body || byId("phone").contains(target);
}

function handle({ key, target }) {
  if (/^[0-9*#]$/.test(key)) return phone.press(key);
  const call = calls.selected();
  if (!call) return false;
  const rings = calls.ringsHere(call);
  // A button that has the focus does what it says.
  if (key === "Enter" && rings && target.tagName !== "BUTTON") {
    phone.answer();
    return true;
  }
  if (key !== "Escape") return false;
  if (rings) phone.reject();
  else phone.hangUp();
  return true;
}
