// Test numbers, each one click away.

import { byId, make } from "./dom.js";

export function render(numbers, onCall) {
  byId("numbers").replaceChildren(...numbers.map(({ number, what }) => {
    const button = make("button", { type: "button" });
    button.append(make("b", { textContent: number }), " ", make("span", { textContent: what.replaceAll("`", "") }));
    button.onclick = () => onCall(number);
    return make("li", {}, button);
  }));
}
