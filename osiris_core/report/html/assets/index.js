// The list of sessions: found, filtered and sorted here, two hundred lines at a time.
(() => {
  const PAGE = 200;
  const [ID, KIND, STATUS, PIPELINE, STARTED, TOOK, ROWS, TARGET, ERROR, HAS_PAGE, TOOK_TEXT] = Array(11).keys();

  const ready = () => {
    const table = document.getElementById("sessions");
    if (!table) return;
    const sessions = JSON.parse(document.getElementById("session-data").textContent);
    const icons = JSON.parse(document.getElementById("icon-names").textContent);
    const [search, status, kind, since, count, more] = ["search", "status", "kind", "since", "count", "more"]
      .map((id) => document.getElementById(id));
    const texts = sessions.map((one) => [one[ID], one[PIPELINE], one[STATUS], one[TARGET], one[ERROR]].join(" ").toLowerCase());
    const number = new Intl.NumberFormat("en");
    let order = { column: STARTED, down: true };
    let chosen = sessions;
    let shown = PAGE;

    const choose = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      chosen = sessions.filter((one, index) => (!status.value || one[STATUS] === status.value)
        && (!kind.value || one[KIND] === kind.value)
        && (!since.value || one[STARTED].slice(0, 10) >= since.value)
        && words.every((word) => texts[index].includes(word)));
      const { column, down } = order;
      const absent = column === TOOK || column === ROWS ? -1 : "";
      chosen.sort((a, b) => {
        const [left, right] = [a[column] ?? absent, b[column] ?? absent];
        return (left < right ? -1 : left > right ? 1 : 0) * (down ? -1 : 1) || (a[STARTED] < b[STARTED] ? 1 : -1);
      });
      shown = PAGE;
      count.textContent = chosen.length === sessions.length ? `${number.format(sessions.length)} sessions`
        : `${number.format(chosen.length)} of ${number.format(sessions.length)} sessions`;
      draw();
    };

    const draw = () => {
      table.tBodies[0].replaceChildren(...chosen.slice(0, shown).map(row));
      more.hidden = chosen.length <= shown;
      more.textContent = `Show ${number.format(Math.min(PAGE, chosen.length - shown))} more`;
    };

    const row = (one) => {
      const line = document.createElement("tr");
      const cell = (content, name = "") => {
        const made = document.createElement("td");
        made.className = name;
        made.append(content);
        line.append(made);
      };
      cell(badge(one[STATUS]));
      cell(one[PIPELINE]);
      const id = document.createElement(one[HAS_PAGE] ? "a" : "span");
      if (one[HAS_PAGE]) id.href = `${encodeURIComponent(one[ID])}/report.html`;
      id.className = "id";
      id.textContent = one[ID];
      cell(id);
      cell(one[STARTED], "when");
      cell(one[TOOK_TEXT], "n");
      cell(one[ROWS] === null ? "–" : number.format(one[ROWS]), "n");
      cell(one[TARGET]);
      cell(one[ERROR], "error");
      return line;
    };

    const badge = (name) => {
      const icon = icons[name] ?? "pending";
      const made = document.createElement("span");
      made.className = `status is-${icon}`;
      const [svg, use] = ["svg", "use"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
      svg.setAttribute("class", "icon");
      svg.setAttribute("width", "14");
      svg.setAttribute("height", "14");
      svg.setAttribute("aria-hidden", "true");
      use.setAttribute("href", `#i-${icon}`);
      svg.append(use);
      made.append(svg, name);
      return made;
    };

    for (const input of [search, status, kind, since]) input.addEventListener("input", choose);
    for (const head of table.tHead.rows[0].cells) {
      head.firstElementChild.addEventListener("click", () => {
        const column = Number(head.dataset.column);
        const first = [STARTED, TOOK, ROWS].includes(column);  // the newest and largest are what one looks for
        order = { column, down: order.column === column ? !order.down : first };
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
        choose();
      });
    }
    more.addEventListener("click", () => {
      const at = shown;
      shown += PAGE;
      draw();
      table.tBodies[0].rows[at]?.querySelector("a")?.focus();
    });
    choose();
  };

  document.addEventListener("DOMContentLoaded", ready);
})();
