// The list of events. Only the lines in view are in the document; a hundred thousand cost no more than fifty.
(() => {
  const HEIGHT = 28, AROUND = 8;
  const [SEQ, OFFSET, NAME, STEP, TIME, FIELDS] = [0, 1, 2, 3, 4, 5];
  const BAD = new Set(["step_failed", "step_retried", "step_cancelled", "observer_failed", "chat.llm_failed"]);

  const ready = () => {
    const list = document.getElementById("event-list");
    if (!list) return;
    const spacer = list.firstElementChild;
    const detail = document.getElementById("event-detail");
    const search = document.getElementById("event-search");
    const byName = document.getElementById("event-name");
    const byStep = document.getElementById("event-step");
    const count = document.getElementById("event-count");
    const events = JSON.parse(document.getElementById("event-data").textContent);
    const nothing = Object.assign(document.createElement("p"), { className: "nothing", textContent: "No event fits." });
    let texts = null;  // for searching, made when first needed
    let chosen = events;
    let selected = null;
    let order = { column: 0, down: false };
    const number = new Intl.NumberFormat("en");

    const text = (index) => {
      texts ??= events.map((one) => `${one[NAME]} ${one[STEP]} ${brief(one[FIELDS])}`.toLowerCase());
      return texts[index];
    };
    const choose = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const [name, step] = [byName.value, byStep?.value ?? ""];
      chosen = events.filter((one, index) => (!name || one[NAME] === name) && (!step || one[STEP] === step)
        && words.every((word) => text(index).includes(word)));
      if (order.column) {
        const by = order.column;
        chosen.sort((a, b) => (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : a[SEQ] - b[SEQ]));
      }
      if (order.down) chosen.reverse();
      count.textContent = chosen.length === events.length ? `${number.format(events.length)} events`
        : `${number.format(chosen.length)} of ${number.format(events.length)} events`;
      list.scrollTop = 0;
      draw();
    };

    const draw = () => {
      spacer.style.height = `${chosen.length * HEIGHT}px`;
      const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - AROUND);
      const last = Math.min(chosen.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + AROUND);
      const lines = [];
      for (let index = first; index < last; index++) lines.push(line(chosen[index], index));
      spacer.replaceChildren(...lines);
      if (chosen.length) nothing.remove(); else spacer.append(nothing);
      const active = spacer.querySelector('[aria-selected="true"]');
      if (active) list.setAttribute("aria-activedescendant", active.id);
      else list.removeAttribute("aria-activedescendant");
    };

    const line = (event, index) => {
      const option = document.createElement("div");
      option.setAttribute("role", "option");
      option.id = `event-${index}`;
      option.setAttribute("aria-setsize", chosen.length);
      option.setAttribute("aria-posinset", index + 1);
      option.setAttribute("aria-selected", String(event === selected));
      option.style.top = `${index * HEIGHT}px`;
      option.classList.toggle("bad", BAD.has(event[NAME]));
      for (const shown of [time(event[OFFSET]), event[NAME], event[STEP], brief(event[FIELDS])]) {
        const cell = document.createElement("span");
        cell.textContent = shown.slice(0, 300);
        option.append(cell);
      }
      option.addEventListener("click", () => select(index));
      return option;
    };

    const select = (index) => {
      if (!chosen.length) return;
      const at = Math.max(0, Math.min(index, chosen.length - 1));
      selected = chosen[at];
      const [top, bottom] = [at * HEIGHT, (at + 1) * HEIGHT];
      if (top < list.scrollTop) list.scrollTop = top;
      else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
      draw();
      tell(selected);
    };

    const tell = (event) => {
      const head = document.createElement("h3");
      head.textContent = event[NAME];
      const under = document.createElement("p");
      under.className = "soft";
      under.textContent = [event[STEP], `number ${event[SEQ]}`, event[TIME]].filter(Boolean).join(" · ");
      const fields = document.createElement("dl");
      for (const [key, value] of Object.entries(event[FIELDS] ?? { fields: "[cut: the page would be too large]" })) {
        const [term, said] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = key;
        said.textContent = typeof value === "object" && value !== null ? JSON.stringify(value, null, 2)
          : typeof value === "number" ? number.format(value) : String(value);
        fields.append(term, said);
      }
      detail.replaceChildren(head, under, fields);
      detail.scrollTop = 0;
    };

    list.addEventListener("scroll", draw, { passive: true });
    list.addEventListener("keydown", (event) => {
      const at = selected ? chosen.indexOf(selected) : -1;
      const page = Math.max(1, Math.floor(list.clientHeight / HEIGHT) - 1);
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: chosen.length }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      select(to);
    });
    search.addEventListener("input", choose);
    byName.addEventListener("change", choose);
    byStep?.addEventListener("change", choose);
    for (const button of document.querySelectorAll(".columns [data-sort]")) {
      button.addEventListener("click", () => {
        const column = Number(button.dataset.sort);
        order = { column, down: order.column === column && !order.down };
        for (const other of document.querySelectorAll(".columns [data-sort]")) {
          other.setAttribute("aria-pressed", String(other === button));
          other.classList.toggle("down", other === button && order.down);
        }
        choose();
      });
    }
    for (const link of document.querySelectorAll("[data-filter-step]")) {
      link.addEventListener("click", () => {
        byStep.value = link.dataset.filterStep;
        choose();
      });
    }
    addEventListener("resize", draw);
    const height = Math.min(17, Math.max(7, events.length)) * HEIGHT;  // for good, so that filtering moves nothing
    list.style.height = `${height}px`;
    detail.style.maxHeight = `${list.parentElement.offsetHeight}px`;
    choose();
  };

  const time = (milliseconds) => (milliseconds === null ? "" : `+${(milliseconds / 1000).toFixed(3)} s`);

  const brief = (fields) => Object.entries(fields ?? {}).filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`).join("  ");

  document.addEventListener("DOMContentLoaded", ready);
})();
