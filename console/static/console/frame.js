// The menu of narrow windows, the theme's button, and a word when the console cannot be reached.
"use strict";
(() => {
  const menu = document.getElementById("menu");
  const side = document.getElementById("side");
  const show = (open) => { side.classList.toggle("open", open); menu.setAttribute("aria-expanded", String(open)); };
  menu.addEventListener("click", (event) => { event.stopPropagation(); show(!side.classList.contains("open")); });
  document.addEventListener("click", (event) => {
    if (!side.contains(event.target)) show(false);
    document.querySelectorAll("details.drop[open]").forEach((drop) => { if (!drop.contains(event.target)) drop.open = false; });
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") show(false); });
  document.getElementById("theme").addEventListener("click", () => window.wireroomTheme());

  const status = document.getElementById("status");
  document.body.addEventListener("htmx:sendError", () => { status.textContent = "The console does not answer; trying again"; status.className = "status warn"; });
  document.body.addEventListener("htmx:afterSwap", () => { status.className = "status"; });
  // A poll that finds the session ended gets the login page: go there instead of showing it inside.
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL.includes("/login/")) { event.detail.shouldSwap = false; location.reload(); }
  });
})();
