// Captions spoken aloud, where the browser has a voice for it; voices on this machine first.

const synthesis = window.speechSynthesis;

export function say(text, language, speed) {
  const voice = pick(language);
  if (!voice) return;
  const words = new SpeechSynthesisUtterance(text);
  words.voice = voice;
  words.lang = voice.lang;
  words.rate = Math.min(speed, 10);
  synthesis.speak(words);
}

export const hush = () => synthesis?.cancel();

function pick(language) {
  const tag = language.toLowerCase();
  const voices = (synthesis?.getVoices() ?? []).map((voice) => ({ voice, lang: voice.lang.toLowerCase().replace("_", "-") }));
  const fits = [...voices.filter(({ lang }) => lang === tag), ...voices.filter(({ lang }) => lang.split("-")[0] === tag.split("-")[0])];
  return (fits.find(({ voice }) => voice.localService) ?? fits[0])?.voice;
}
