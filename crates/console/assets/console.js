// Small conveniences. Every page works without this file.
"use strict";
(() => {
  // Copying: the button appears only where it works.
  const reveal = (root) => {
    if (!navigator.clipboard) return;
    for (const button of root.querySelectorAll("button[data-copy][hidden]")) button.hidden = false;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const live = document.createElement("span");
    live.className = "copied";
    live.setAttribute("role", "status");
    live.textContent = button.dataset.copied;
    button.append(live);
    setTimeout(() => live.remove(), 1500);
  });

  // Menus close on Escape and when one clicks elsewhere.
  const menus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of menus()) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    // "/" goes to the search field, as people know it.
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("main input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  // On narrow windows the navigation starts closed.
  const side = document.querySelector("details.side-menu");
  const narrow = matchMedia("(max-width: 60rem)");
  const fold = () => side && (side.open = !narrow.matches);
  fold();
  narrow.addEventListener("change", fold);

  // Select all of a list.
  document.addEventListener("change", (event) => {
    const all = event.target.closest("input[data-select-all]");
    if (!all) return;
    for (const box of all.form.querySelectorAll(`input[name="${all.dataset.selectAll}"]`)) {
      box.checked = all.checked;
    }
  });

  reveal(document);
  document.addEventListener("htmx:load", (event) => reveal(event.target));
})();
