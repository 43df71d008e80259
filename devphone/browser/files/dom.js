// Finding and making elements. Text is only ever set as text, so nothing that others send becomes markup.

export const byId = (id) => document.getElementById(id);

export function make(tag, { dataset, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

// Live regions speak whenever their text is set, so it is only set when it is new.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
