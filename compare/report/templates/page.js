
"use strict";
// Everything can be read without this script; what needs it is made by it.
(() => {
  const root = document.documentElement;
  const status = document.querySelector("[role=status]");
  const button = (text, press) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", () => press(made));
    return made;
  };

  // The theme: that of the system until another one is chosen.
  const kept = (value) => {
    try {
      if (value) localStorage.setItem("gradparity-theme", value);
      return localStorage.getItem("gradparity-theme");
    } catch { return null; }  // a browser that keeps nothing for files
  };
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const chosen = kept();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  const other = () => isDark() ? "Light theme" : "Dark theme";
  const theme = button(other(), (made) => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept(root.dataset.theme);
    made.textContent = other();
  });
  theme.className = "theme";
  const controls = document.querySelector(".controls");
  controls.append(theme, button("Print", () => print()));

  // Copying. Where the clipboard is closed to a page from disk, the text is selected and copied as by hand.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }
  };
  const copier = (code, label, name) => {
    const made = button("Copy", async () => {
      const done = await copy(code.textContent);
      made.textContent = done ? "Copied" : "Not copied: select the text";
      status.textContent = `${made.textContent}: ${label}`;
      made.focus();
      setTimeout(() => { made.textContent = "Copy"; }, 2000);
    });
    made.className = name;
    made.setAttribute("aria-label", `Copy: ${label}`);
    return made;
  };
  for (const figure of document.querySelectorAll(".copyable")) {
    const label = figure.querySelector("figcaption").textContent;
    figure.insertBefore(copier(figure.querySelector("code"), label, "copy"), figure.querySelector("pre"));
  }
  for (const code of document.querySelectorAll("td .line")) {
    code.before(copier(code, code.textContent, "short"), " ");
  }

  // Sorting: by number where both have one, else by text; what has no value comes last.
  const compare = (one, two) => {
    if (one === undefined || two === undefined) return one === two ? 0 : null;
    const numbers = [Number(one), Number(two)];
    if (one !== "" && two !== "" && !numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
    return one.localeCompare(two, undefined, { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const headings = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    headings.forEach((heading, column) => {
      const name = heading.textContent;
      const made = button(name, () => {
        const way = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        headings.forEach((one) => one.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
        const value = (row) => row.cells[column].dataset.value;
        const rows = [...body.rows];
        rows.sort((a, b) => compare(value(a), value(b)) === null
          ? (value(a) === undefined ? 1 : -1) : way * compare(value(a), value(b)));
        body.append(...rows);
        status.textContent = `Sorted by ${name}, ${heading.getAttribute("aria-sort")}`;
      });
      made.className = "sort";
      heading.replaceChildren(made);
    });
  }

  // On paper everything is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
})();
