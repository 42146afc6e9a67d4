// Elements without markup: text becomes text nodes, whatever is in it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.setAttribute("class", value);
    else if (name === "style") for (const [field, to] of Object.entries(value)) element.style.setProperty(field, to);
    else if (name === "value" || name === "checked" || name === "open") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/// An element of HTML.
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/// An element of SVG.
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/// Puts children in the place of those that an element has.
export function put(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/// Calls `draw` when an element first comes near the window, so that long pages open at once; and before printing.
export function whenSeen(element, draw) {
  let done = false;
  const once = () => {
    if (done) return;
    done = true;
    watcher.disconnect();
    draw();
  };
  const watcher = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && once(), {
    rootMargin: "400px",
  });
  watcher.observe(element);
  window.addEventListener("beforeprint", once, { once: true });
  return element;
}

/// At most one call in so many milliseconds, the last of them certainly.
export function throttled(pause, call) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      call();
    }, pause);
  };
}
