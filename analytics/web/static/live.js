// Updates numbers in place, on a schedule or for a new choice, and reports at the foot of the page when that fails.
"use strict";

const main = document.getElementById("main");
const said = document.getElementById("said");
const trouble = document.getElementById("trouble");
const MOST_SECONDS = 30;

let asked = 0;
let turn = null; // the timer of the next look; null while an answer is waited for, or the page is paused
let failures = 0; // how many in a row
let heading = ""; // what is in the way
let behind = false; // the address is what the reader chose, the figures are those from before
let got = Date.now(); // when the figures came, which were `main.dataset.age` seconds old then

// Show what an address gives. `remember`: it is the reader's choice, and becomes the page's own address.
async function take(address, remember = false) {
  const mine = ++asked;
  clearTimeout(turn);
  turn = null;
  const [answer, page] = await load(address);
  if (mine !== asked) return undefined;
  const fresh = page?.getElementById("main");
  const words = fresh?.querySelector("h1")?.textContent;
  if (!words) return failed(trouble.dataset.away, address, remember);
  if (answer.redirected) return location.assign(address);
  if (fresh.dataset.again) return failed(words, address, remember);
  if (!answer.ok) return remember ? refused(words, fresh.querySelector(".detail")?.textContent ?? "") : location.reload();
  if (remember) document.querySelectorAll("[data-refused]").forEach((form) => delete form.dataset.refused);
  morph(main, fresh);
  document.title = page.title;
  const [nav, other] = [document, page].map((one) => one.querySelector(".rail"));
  if (nav && other) morph(nav, other);
  if (remember) goto(address);
  well(remember);
  names();
  return charts();
}

function goto(address) {
  if (new URL(address, location).href !== location.href) history.pushState(null, "", address);
}

// Less and less often where they can't be had, and not all readers at once.
function later() {
  clearTimeout(turn);
  turn = null;
  if (!failures && main.dataset.every === "0") return; // the reader has paused the page
  const seconds = failures ? Math.min(MOST_SECONDS, 2 ** failures) * (0.75 + Math.random() / 2) : Number(main.dataset.every);
  turn = setTimeout(look, 1000 * seconds);
}

function look() {
  if (turn === null) return;
  if (document.visibilityState === "visible") take(location.href);
  else later();
}

function failed(words, address, remember) {
  failures += 1;
  if (remember) goto(address); // it holds the choice, and may be sent or loaded again
  behind ||= remember;
  const before = heading;
  heading = words;
  trouble.classList.remove("refused");
  document.documentElement.dataset.trouble = "";
  tell();
  if (before !== heading) said.textContent = spoken(); // once, not each time that it is tried
  later();
}

function well(remember) {
  const again = failures > 0;
  got = Date.now();
  behind = false;
  calm();
  said.textContent = again ? trouble.dataset.well : remember ? said.dataset.updated : "";
  if (!document.querySelector("[data-refused]")) hide();
  later();
}

// The reader's choice is invalid: report what is wrong with it, and leave it as it was typed.
function refused(words, text) {
  calm();
  document.querySelectorAll("form[data-live]").forEach((form) => (form.dataset.refused = ""));
  trouble.classList.add("refused");
  say(words, `${text} ${trouble.dataset.before}`);
  said.textContent = spoken();
  later();
}

function calm() {
  failures = 0;
  heading = "";
  delete document.documentElement.dataset.trouble;
}

// While nothing new comes the figures grow older.
function tell() {
  if (!heading) return;
  const age = lasting(Number(main.dataset.age) + (Date.now() - got) / 1000);
  say(heading, trouble.dataset[behind ? "behind" : "old"].replace("{age}", age));
}

function say(words, text) {
  trouble.querySelector("b").textContent = words;
  trouble.querySelector("span").textContent = text;
  trouble.hidden = false;
}

function spoken() {
  return [...trouble.querySelectorAll("b, span")].map((one) => one.textContent).join(". ");
}

function hide() {
  if (trouble.contains(document.activeElement)) main.focus({ preventScroll: true });
  trouble.hidden = true;
}

function lasting(seconds) {
  const [s, min, h, d] = [1, 60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  const words = trouble.dataset.ages.split("|")[s < 60 ? 0 : min < 60 ? 1 : h < 24 ? 2 : 3];
  const values = { s, min: h ? min % 60 : min, h: d ? h % 24 : h, d };
  return words.replace(/{(\w+)}/g, (_, name) => values[name]);
}

trouble.querySelector("button").addEventListener("click", look);
addEventListener("online", look);
addEventListener("popstate", () => {
  behind = false;
  take(location.href);
});
document.addEventListener("visibilitychange", () => failures && look());
setInterval(tell, 5000);
later();
