// The brand's page in the admin: shows what stands in the form, unsaved, in both schemes.
// Without this, the button "Preview in a new tab" does the same.
(() => {
  "use strict";

  const PAUSE = 600; // Milliseconds after the last change until the preview follows.

  const panel = document.querySelector("[data-preview]");
  const form = document.getElementById("brand_form");
  const fields = panel.dataset.fields.split(" ");
  const find = (name) => panel.querySelector(`[data-${name}]`);
  const said = find("said");
  const link = document.getElementById("preview-link");
  let token = "";
  let timer = 0;
  const asked = { draw: 0, copy: 0 };

  for (const element of panel.querySelectorAll("[data-live]")) element.hidden = false;

  // Only what makes the look leaves the form; no key and no secret does.
  function typed(more) {
    const data = new FormData(form);
    const wanted = new FormData();
    for (const name of [...fields, "csrfmiddlewaretoken"]) {
      for (const value of data.getAll(name)) wanted.append(name, value);
    }
    for (const [name, value] of Object.entries(more)) wanted.append(name, value);
    return wanted;
  }

  async function send(more) {
    const answer = await fetch(panel.dataset.url, { method: "POST", body: typed(more), redirect: "error" });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  }

  function tell(problems) {
    const list = find("problems");
    list.replaceChildren(
      ...problems.map((problem) => {
        const item = document.createElement("li");
        const anchor = document.createElement("a");
        anchor.href = `#id_${problem.field}`;
        anchor.textContent = problem.label;
        item.append(anchor, `: ${problem.text}`);
        return item;
      }),
    );
    list.hidden = problems.length === 0;
  }

  function show() {
    if (!token) return;
    for (const frame of panel.querySelectorAll("[data-scheme]")) {
      // Also where the address stays: two drafts of one second have the same link.
      frame.src = `/preview/${token}/${frame.dataset.scheme}/${find("page").value}`;
    }
  }

  // Of answers to the same wish that overtake each other only the newest counts.
  async function attempt(wish, more, done) {
    const own = ++asked[wish];
    try {
      const answer = await send({ again: token, ...more });
      if (own !== asked[wish]) return;
      tell(answer.problems || []);
      if (said.textContent === panel.dataset.failed) said.textContent = "";
      if (answer.link) await done(answer);
    } catch {
      said.textContent = panel.dataset.failed;
    }
  }

  function draw() {
    return attempt("draw", {}, (answer) => {
      token = answer.token;
      show();
    });
  }

  function copy() {
    return attempt("copy", { keep: "yes" }, async (answer) => {
      link.value = answer.link;
      find("shown").hidden = false;
      link.select();
      said.textContent = panel.dataset.select; // In case the browser does not let us copy it, or asks first.
      await navigator.clipboard?.writeText(answer.link).then(
        () => (said.textContent = panel.dataset.copied),
        () => {},
      );
    });
  }

  function later() {
    clearTimeout(timer);
    if (panel.open) timer = setTimeout(draw, PAUSE);
  }

  form.addEventListener("input", (event) => fields.includes(event.target.name) && later());
  panel.addEventListener("toggle", () => panel.open && draw());
  find("page").addEventListener("change", show);
  find("link").addEventListener("click", copy);
  if (panel.open) draw();
})();
