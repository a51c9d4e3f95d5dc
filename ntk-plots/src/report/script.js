"use strict";
(() => {
  const root = document.documentElement;
  const toggle = document.getElementById("theme");
  const remembered = {
    get() { try { return localStorage.getItem("ntk-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("ntk-theme", value); } catch { /* private window */ } },
  };
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const show = (theme) => {
    if (theme === "dark" || theme === "light") root.dataset.theme = theme;
    toggle.textContent = isDark() ? "Light" : "Dark";
    toggle.setAttribute("aria-label", `Switch to the ${isDark() ? "light" : "dark"} theme`);
  };
  show(location.hash.slice(1) === "dark" || location.hash.slice(1) === "light"
    ? location.hash.slice(1) : remembered.get());
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    show(isDark() ? "light" : "dark");
    remembered.set(root.dataset.theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());

  const dialog = document.getElementById("zoom");
  const [picture, words] = [dialog.querySelector("img"), dialog.querySelector("p")];
  for (const button of document.querySelectorAll("button.zoom")) {
    button.addEventListener("click", () => {
      const image = button.querySelector("img");
      picture.src = image.src;
      picture.alt = words.textContent = image.alt;
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target === picture) dialog.close();
  });

  // Numbers by value (also "91 %" and "2×10⁻³"), words by the alphabet.
  const lowered = (text) => text.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]/g, (c) => "0123456789-"["⁰¹²³⁴⁵⁶⁷⁸⁹⁻".indexOf(c)]);
  const number = (text) => parseFloat(
    lowered(text.replace("×10", "e")).replace(/[\u2009\u202f ,]/g, "").replace(/^\D*?=/, "").replace("\u2212", "-"));
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    return (Number.isNaN(x) ? 0 : x - y) || a.localeCompare(b, "en", { numeric: true });
  };
  for (const table of document.querySelectorAll("table.results")) {
    const [heads, body] = [[...table.tHead.rows[0].cells], table.tBodies[0]];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const text = (row) => row.cells[column].textContent;
        const rows = [...body.rows].sort((a, b) => (up ? 1 : -1) * compare(text(a), text(b)));
        body.append(...rows);
      });
    });
  }
})();
