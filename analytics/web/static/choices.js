// Loaded before anything is painted: the theme that was chosen here, else the system's.
"use strict";
try {
  document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";
} catch {
  document.documentElement.dataset.theme = "auto"; // embedded where storage is blocked
}

// The language that was chosen here holds wherever the address names none.
document.addEventListener("click", (event) => {
  const code = event.target.closest("a[data-language]")?.dataset.language;
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (code) document.cookie = `lang=${code}; path=/; max-age=31536000; samesite=lax${secure}`;
});
