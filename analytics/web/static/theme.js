// Loaded before anything is painted: the theme that was chosen here, else the system's.
document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";
