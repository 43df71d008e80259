// Ringing and keys, made by the browser: two tones each, as a telephone has them.

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = "123456789*0#";
const RING = [400, 450];
const LOUD = 0.08;
const KEY_SECONDS = 0.14;

let context = null;
let ringing = null;
let isOn = localStorage.getItem("sound") !== "off";

export const on = () => isOn;

export function turn(newIsOn) {
  isOn = newIsOn;
  localStorage.setItem("sound", isOn ? "on" : "off");
}

// Browsers are silent until somebody has touched the page.
export function wake() {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
}

export function key(name) {
  const place = KEYS.indexOf(name);
  if (place >= 0) play([ROWS[Math.floor(place / 3)], COLUMNS[place % 3]], 0, KEY_SECONDS);
}

// Two short rings every three seconds, until told otherwise.
export function ring(shouldRing) {
  if (shouldRing === (ringing !== null)) return;
  clearInterval(ringing);
  ringing = null;
  if (!shouldRing) return;
  const once = () => {
    play(RING, 0, 0.4);
    play(RING, 0.6, 0.4);
  };
  once();
  ringing = setInterval(once, 3000);
}

function play(frequencies, delay, seconds) {
  if (!isOn || context?.state !== "running") return;
  const begin = context.currentTime + delay;
  const gain = context.createGain();
  gain.gain.setValueAtTime(0, begin);
  gain.gain.linearRampToValueAtTime(LOUD, begin + 0.01);
  gain.gain.setValueAtTime(LOUD, begin + seconds - 0.02);
  gain.gain.linearRampToValueAtTime(0, begin + seconds);
  gain.connect(context.destination);
  for (const frequency of frequencies) {
    const tone = new OscillatorNode(context, { frequency });
    tone.connect(gain);
    tone.start(begin);
    tone.stop(begin + seconds);
  }
}
