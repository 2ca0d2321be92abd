// What a page does in the browser: draws its charts, explains its terms, takes its filter in place. What is new comes by live.js.
"use strict";

// Charts -------------------------------------------------------------------------------------------------------------

let figures = null; // {codes: {code: token}, figures: {chart: Bokeh item}}
const drawn = {}; // chart to {host, view, text}

function colours() {
  const probe = document.body.appendChild(document.createElement("i"));
  const found = Object.entries(figures.codes).map(([code, token]) => {
    probe.style.color = `var(--${token})`;
    return [code, getComputedStyle(probe).color];
  });
  probe.remove();
  return found;
}

// Numbers that are not there are gaps in a line.
const gaps = (column) => column.map((value) => (value === null ? NaN : value));
const filled = (columns) => Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, gaps(column)]));

function fill(node, content) {
  if (Array.isArray(node)) return node.forEach((child) => fill(child, content));
  if (node === null || typeof node !== "object") return undefined;
  const attributes = node.attributes;
  if (attributes?.name in content.sources) {
    attributes.data = { type: "map", entries: Object.entries(filled(content.sources[attributes.name])) };
  } else if (attributes?.name in content.words) {
    attributes.factors = content.words[attributes.name];
  } else if (attributes?.name in (content.models ?? {})) {
    Object.assign(attributes, content.models[attributes.name]);
  } else {
    Object.values(node).forEach((child) => fill(child, content));
  }
  return undefined;
}

// Words below a chart are tilted where they don't fit side by side. Where not even that has room, those that overlap are left out.
const TILT = 0.7, AXIS_PX = 60, BETWEEN_PX = 6, LINE_PX = 16;
const policies = new WeakMap(); // axis to what leaves out labels that overlap
const pen = document.createElement("canvas").getContext("2d");

function tilt(name) {
  const known = drawn[name].view?.model.document;
  const axis = known?.get_model_by_name(`${name}.labels`);
  if (!axis) return;
  pen.font = `11px ${axis.major_label_text_font}`;
  const words = known.get_model_by_name(`${name}.words`).factors;
  const widest = Math.max(0, ...words.map((word) => pen.measureText(word).width));
  const room = (drawn[name].host.clientWidth - AXIS_PX) / words.length;
  const tilted = widest + BETWEEN_PX > room && room >= LINE_PX;
  if (!policies.has(axis)) policies.set(axis, axis.major_label_policy);
  const AllLabels = Bokeh.Models.get("AllLabels");
  axis.setv({ major_label_orientation: tilted ? TILT : "horizontal", major_label_policy: tilted ? new AllLabels() : policies.get(axis) });
}
addEventListener("resize", () => Object.keys(drawn).forEach(tilt));

async function draw(host, text) {
  const name = host.dataset.chart;
  let figure = JSON.stringify(figures.figures[name]);
  for (const [code, colour] of colours()) figure = figure.replaceAll(code, colour);
  const item = JSON.parse(figure);
  fill(item.doc.roots, JSON.parse(text));
  drawn[name]?.view?.remove();
  host.replaceChildren();
  drawn[name] = { host, text, view: null };
  const [view] = (await Bokeh.embed.embed_item(item, host)).roots;
  drawn[name].view = view;
  view.canvas_view.events_el.removeAttribute("tabindex"); // nothing is done there with the keyboard; the table has the numbers
  tilt(name);
}

function refill(name, text) {
  const content = JSON.parse(text);
  const known = drawn[name].view.model.document;
  for (const [range, words] of Object.entries(content.words)) known.get_model_by_name(range).factors = words;
  for (const [model, values] of Object.entries(content.models ?? {})) known.get_model_by_name(model).setv(values);
  for (const [source, columns] of Object.entries(content.sources)) known.get_model_by_name(source).data = filled(columns);
  drawn[name].text = text;
  tilt(name);
}

async function charts(redraw = false) {
  const hosts = [...document.querySelectorAll("[data-chart]")];
  if (hosts.length) figures ??= await (await fetch(main.dataset.figures)).json();
  for (const host of hosts) {
    const name = host.dataset.chart;
    const text = document.getElementById(`data-${name}`).textContent;
    const old = drawn[name];
    if (!old || old.host !== host || redraw) await draw(host, text);
    else if (old.text !== text && old.view) refill(name, text);
  }
  document.documentElement.dataset.drawn = String(Date.now());
}

// Forms and links whose answer is taken in place ------------------------------------------------------------------------

// A form's address, without what is empty.
function address(form) {
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  return `${form.getAttribute("action")}${query.size ? `?${query}` : ""}`;
}

// Where there is little room the filter is folded up until it is opened.
const narrow = matchMedia("(max-width: 860px)");
function fold() {
  const filter = main?.querySelector(".filter");
  if (filter) filter.open = !narrow.matches;
}
narrow.addEventListener("change", fold);
fold();

let typing;
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-picks]")) event.target.previousElementSibling.value = event.target.value;
  const form = event.target.closest("form[data-live]");
  // Another game has its own plats, areas and segments.
  if (form && event.target.name === "game") ["plat", "area", "united", "segment"].forEach((name) => form[name] && (form[name].value = ""));
  if (form && form.checkValidity()) take(address(form), true);
});
document.addEventListener("input", (event) => {
  if (event.target.type !== "search") return;
  clearTimeout(typing);
  typing = setTimeout(() => take(address(event.target.form), true), 250);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-live]")) return;
  event.preventDefault();
  take(address(event.target), true);
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-live]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  take(link.getAttribute("href"), true);
});

// Terms --------------------------------------------------------------------------------------------------------------

const tip = document.getElementById("tip");

function explain(term) {
  tip.textContent = term.dataset.means;
  tip.hidden = false;
  term.setAttribute("aria-describedby", "tip");
  const at = term.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const below = at.bottom + 6 + size.height < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  tip.style.top = `${below ? at.bottom + 6 : at.top - size.height - 6}px`;
}

function hush() {
  tip.hidden = true;
  document.querySelectorAll('[aria-describedby="tip"]').forEach((term) => term.removeAttribute("aria-describedby"));
}

for (const [begin, end] of [["mouseover", "mouseout"], ["focusin", "focusout"]]) {
  document.addEventListener(begin, (event) => {
    const term = event.target.closest?.("[data-means]");
    if (term) explain(term);
  });
  document.addEventListener(end, hush);
}
document.addEventListener("keydown", (event) => event.key === "Escape" && hush());
addEventListener("scroll", hush, { capture: true, passive: true });

// Theme --------------------------------------------------------------------------------------------------------------

const THEMES = ["auto", "light", "dark"];
const theme = document.getElementById("theme");

function names() {
  const name = theme?.dataset.names.split("|")[THEMES.indexOf(document.documentElement.dataset.theme)];
  if (theme) theme.title = theme.querySelector("span").textContent = name;
}

document.addEventListener("click", (event) => {
  if (!event.target.closest("#theme")) return;
  const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  names();
  charts(true);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts(true));

// Pages --------------------------------------------------------------------------------------------------------------

// In a low window the list of pages is longer than its place.
const list = document.querySelector(".rail nav");
const current = list?.querySelector("[aria-current]");
if (current) list.scrollTop += Math.max(0, current.getBoundingClientRect().bottom - list.getBoundingClientRect().bottom);

names();
charts();
