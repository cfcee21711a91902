"use strict";
// What every page does: light and dark, copying, sorting of short tables, marking where the reader is, printing.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const memory = {  // a browser may refuse storage to a file
    get() { try { return localStorage.getItem("osiris-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("osiris-theme", value); } catch { /* then it is not remembered */ } },
  };
  const themes = ["system", "light", "dark"];
  let theme = themes.includes(memory.get()) ? memory.get() : "system";
  const dress = () => {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
  };
  dress();

  const ready = () => {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = `Theme: ${theme}`; };
    label();
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      memory.set(theme);
      dress();
      label();
    });

    for (const one of document.querySelectorAll("[data-copy]")) {
      one.addEventListener("click", async () => {
        const before = one.textContent;
        let said = "Copied";
        try { await navigator.clipboard.writeText(one.dataset.copy); } catch { said = "Copying is not allowed here"; }
        one.textContent = said;
        setTimeout(() => { one.textContent = before; }, 1500);
      });
    }

    document.querySelectorAll("table.sortable").forEach(sortable);
    follow();

    // A link to something within a closed part opens it.
    const open = () => {
      const target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
      if (target instanceof HTMLDetailsElement) target.open = true;
    };
    addEventListener("hashchange", open);
    document.addEventListener("click", (event) => {
      const link = event.target.closest?.('a[href^="#"]');
      if (link && link.getAttribute("href") === location.hash) open();
    });
    open();

    let closed = [];
    addEventListener("beforeprint", () => {
      closed = [...document.querySelectorAll("details:not([open])")];
      for (const one of closed) one.open = true;
    });
    addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
  };

  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("n");
        const was = head.getAttribute("aria-sort");
        const down = was ? was === "ascending" : numeric;
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
        const compare = (a, b) => {
          const [left, right] = [value(a), value(b)];
          const difference = Number(left) - Number(right);
          return Number.isNaN(difference) ? left.localeCompare(right) : difference;
        };
        const body = table.tBodies[0];
        const rows = [...body.rows].sort((a, b) => (down ? -compare(a, b) : compare(a, b)));
        body.append(...rows);
      });
    });
  };

  const follow = () => {
    const links = new Map();
    for (const link of document.querySelectorAll(".toc a")) {
      const section = document.getElementById(link.getAttribute("href").slice(1));
      if (section) links.set(section, link);
    }
    if (!links.size) return;
    const mark = () => {
      let current = null;
      for (const section of links.keys()) {
        if (section.getBoundingClientRect().top < innerHeight * 0.35) current = section;
      }
      if (innerHeight + scrollY >= document.body.scrollHeight - 4) current = [...links.keys()].at(-1);
      for (const [section, link] of links) {
        if (section === (current ?? links.keys().next().value)) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
    };
    addEventListener("scroll", mark, { passive: true });
    addEventListener("resize", mark);
    mark();
  };

  document.addEventListener("DOMContentLoaded", ready);
})();
