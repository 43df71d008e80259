// Test numbers, each one click away from the form.

import { byId, make } from "./dom.js";

export function render(numbers, onPick) {
  byId("numbers").replaceChildren(...numbers.map(({ number, what }) => {
    const button = make("button", { type: "button" });
    button.append(make("b", { textContent: number }), " ", make("span", { textContent: what.replaceAll("`", "") }));
    button.onclick = () => onPick(number, what.replaceAll("`", ""));
    return make("li", {}, button);
  }));
}
