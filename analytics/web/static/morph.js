// How pages come by what is new: loads a page, and makes what is shown like it.
"use strict";

// Return an answer and its page; nulls where nobody answers.
async function load(address) {
  try {
    const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" }, signal: AbortSignal.timeout(30000) });
    return [answer, new DOMParser().parseFromString(await answer.text(), "text/html")];
  } catch {
    return [null, null];
  }
}

const OWN = ["open", "aria-describedby", "data-refused"]; // attributes that are the reader's

// Make `old` like `fresh`, touching only what differs: scroll, focus, open tables and charts stay as they are.
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
