// Makes `old` like `fresh`, touching only what differs: scroll, focus, open tables and charts stay as they are.
"use strict";

const OWN = ["open", "aria-describedby", "data-refused"]; // attributes that are the reader's

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
    old.replaceWith(fresh.cloneNode(true));
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
  } else {
    for (const { name, value } of [...fresh.attributes]) if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !OWN.includes(name)) old.removeAttribute(name);
    if ("keep" in old.dataset || "refused" in old.dataset || old.matches("select:focus")) return;
    if (old.matches("input, select") && old !== document.activeElement && "value" in fresh) old.value = fresh.value;
    const children = [...old.childNodes];
    const others = [...fresh.childNodes];
    others.forEach((child, n) => (n < children.length ? morph(children[n], child) : old.append(child.cloneNode(true))));
    children.slice(others.length).forEach((child) => child.remove());
  }
}
