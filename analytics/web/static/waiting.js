// A page that can't be shown yet retries with growing intervals, and reloads when there is something to see.
"use strict";

const main = document.getElementById("main");
const said = document.getElementById("said");
const away = document.getElementById("away").content.querySelector("main");
const MOST_SECONDS = 30;
let tries = 0;
let turn = null; // the timer of the next look; null while an answer is waited for

function later() {
  clearTimeout(turn);
  const least = Number(main.dataset.again);
  const seconds = Math.min(MOST_SECONDS, least * 1.5 ** tries);
  tries += 1;
  turn = setTimeout(look, 1000 * seconds * (0.75 + Math.random() / 2)); // so that not all readers come at once
}

async function look() {
  if (turn === null) return undefined;
  clearTimeout(turn);
  turn = null;
  if (document.visibilityState !== "visible") return later();
  const [answer, page] = await load(location.href);
  const fresh = page?.getElementById("main");
  if (fresh?.dataset.again) show(fresh);
  else if (page && answer.status < 500) return location.reload();
  else show(away);
  return later();
}

// Show what is wrong now. Screen readers announce only what is new, not each day that is done, and not each try.
function show(fresh) {
  const before = main.querySelector("h1").textContent;
  const again = main.dataset.again;
  morph(main, fresh);
  main.dataset.again = fresh.dataset.again ?? again;
  const heading = main.querySelector("h1").textContent;
  if (heading === before) return;
  said.textContent = heading;
  document.title = `${heading} · analytics`;
}

addEventListener("online", look);
addEventListener("pageshow", (event) => event.persisted && look());
document.addEventListener("visibilitychange", look);
later();
