"use strict";
(() => {
  // The theme: of the address, else as chosen before, else the system's.
  const root = document.documentElement;
  const toggle = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const remembered = {
    get() { try { return localStorage.getItem("ntk-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("ntk-theme", value); } catch { /* private window */ } },
  };
  const isTheme = (text) => text === "dark" || text === "light";
  let chosen = [location.hash.slice(1), remembered.get()].find(isTheme);
  const show = () => {
    root.dataset.theme = chosen ?? (system.matches ? "dark" : "light");
    const other = root.dataset.theme === "dark" ? "light" : "dark";
    toggle.textContent = other[0].toUpperCase() + other.slice(1);
    toggle.setAttribute("aria-label", `Switch to the ${other} theme`);
  };
  show();
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    show();
    remembered.set(chosen);
  });
  system.addEventListener("change", show);

  // Enlarged figures: `scale` is 1 where the figure just fits into the window.
  const dialog = document.getElementById("zoom");
  const [view, picture] = [dialog.querySelector(".view"), dialog.querySelector("img")];
  const [words, output] = [dialog.querySelector("p"), dialog.querySelector("output")];
  const [STEP, MOST] = [1.25, 10];
  let scale = 1;
  // The point of the figure at (x, y) of the window stays where it is.
  const magnify = (wanted, x, y) => {
    const ratio = picture.naturalWidth / picture.naturalHeight || 1;
    const fit = Math.min(view.clientWidth, view.clientHeight * ratio);
    const old = picture.getBoundingClientRect();
    const box = view.getBoundingClientRect();
    const [px, py] = [x ?? box.x + box.width / 2, y ?? box.y + box.height / 2];
    const part = [(px - old.x) / (old.width || 1), (py - old.y) / (old.height || 1)];
    scale = Math.min(Math.max(wanted, 1), MOST);
    picture.style.width = `${Math.floor(fit * scale)}px`;
    const now = picture.getBoundingClientRect();
    view.scrollLeft += now.x + part[0] * now.width - px;
    view.scrollTop += now.y + part[1] * now.height - py;
    output.textContent = `${Math.round(scale * 100)} %`;
  };
  const actions = { in: () => magnify(scale * STEP), out: () => magnify(scale / STEP), fit: () => magnify(1) };
  const keys = { "+": "in", "=": "in", "-": "out", 0: "fit" };
  for (const button of document.querySelectorAll("button.zoom")) {
    button.addEventListener("click", async () => {
      const image = button.querySelector("img");
      picture.src = image.src;
      picture.alt = words.textContent = image.alt;
      dialog.showModal();
      view.focus();
      await picture.decode().catch(() => {});
      magnify(1);
    });
  }
  for (const button of dialog.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", actions[button.dataset.zoom]);
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    actions[keys[event.key]]();
  });
  addEventListener("resize", () => { if (dialog.open) magnify(scale); });
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    magnify(scale * Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, { passive: false });
  view.addEventListener("dblclick", (event) => magnify(scale > 1 ? 1 : 3, event.clientX, event.clientY));
  // A mouse drags; fingers scroll by themselves.
  view.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    view.setPointerCapture(event.pointerId);
    view.classList.add("held");
  });
  view.addEventListener("pointermove", (event) => {
    if (view.classList.contains("held")) view.scrollBy(-event.movementX, -event.movementY);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    view.addEventListener(end, () => view.classList.remove("held"));
  }
  picture.draggable = false;

  // Sorting: numbers by value (also "91 %", "n = 5", "1 h 2 min" and "2×10⁻³"), before words by
  // the alphabet; empty cells last.
  const lowered = (text) => text.replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]/g, (c) => "0123456789-"["⁰¹²³⁴⁵⁶⁷⁸⁹⁻".indexOf(c)]);
  const units = { h: 3600, min: 60, s: 1 };
  const number = (text) => {
    if (/^<?[\d.]+ (h|min|s)\b/.test(text)) {
      const parts = [...text.matchAll(/([\d.]+) (h|min|s)\b/g)];
      return parts.reduce((sum, [, value, unit]) => sum + value * units[unit], 0);
    }
    if (text === "inf") return Infinity;
    return parseFloat(lowered(text.replace("×10", "e"))
      .replace(/[\u2009\u202f ,<]/g, "").replace(/^\D*?=/, "").replace("\u2212", "-"));
  };
  const compare = (a, b, sign) => {
    if (!a || !b) return !a - !b;
    const [x, y] = [number(a), number(b)];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (Number.isNaN(x) || x === y ? a.localeCompare(b, "en", { numeric: true }) : x - y);
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
        const text = (row) => row.cells[column].textContent.trim();
        body.append(...[...body.rows].sort((a, b) => compare(text(a), text(b), up ? 1 : -1)));
      });
    });
  }
})();
