// Telephone time: the phone's seconds, which may go by faster than ours.

let zero = 0;
let began = performance.now();
export let speed = 1;

export function set(nowSeconds, newSpeed) {
  zero = nowSeconds;
  speed = newSpeed;
  began = performance.now();
}

export const now = () => zero + ((performance.now() - began) / 1000) * speed;

export function minutes(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
