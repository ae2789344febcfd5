// Reports missing fields before a form is sent, prevents double submits, says on the button that a form is being
// sent, focuses the server's errors, and can show passwords.
// Forms work without this script too; the server also prevents double submits.
(() => {
  "use strict";

  const labels = new WeakMap(); // Waiting button → what it said before.

  // Says on the form's button, and in its status line, that the form is on its way; `on` false takes it back.
  function wait(form, on) {
    const button = form.querySelector("button.main");
    const status = form.querySelector("[data-waiting]");
    const word = button?.dataset.busy ?? status?.dataset.waiting;
    if (status) status.textContent = on ? status.dataset.waiting : "";
    if (!button || on === labels.has(button)) return;
    if (on) {
      labels.set(button, [...button.childNodes]);
      button.style.minInlineSize = `${button.offsetWidth}px`; // Nothing beside the button moves.
      if (word) button.textContent = word;
      button.setAttribute("aria-disabled", "true");
    } else {
      button.replaceChildren(...labels.get(button));
      labels.delete(button);
      button.style.minInlineSize = "";
      button.removeAttribute("aria-disabled");
    }
  }

  const make = (name, wanted, ...inside) => {
    const made = Object.assign(document.createElement(name), wanted);
    made.append(...inside);
    return made;
  };

  // The error of a missing or too short value. The server validates everything.
  function complaint(input) {
    const words = input.closest(".field")?.dataset;
    if (!words) return "";
    const blank = input.required && input.type !== "password" && !input.value.trim();
    if (blank || input.validity.valueMissing) return words.required ?? usual("required", input.form);
    // Not validity.tooShort, which ignores text filled in by a password manager.
    const short = input.minLength > 0 && input.value && [...input.value].length < input.minLength;
    return short ? words.minimum : "";
  }

  const usual = (name, form) => form.querySelector("[data-mistakes]")?.dataset[name];

  function mark(input, text) {
    const box = input.closest(".field");
    if (!text && !box?.querySelector("[data-checked]")) return;
    box.querySelector(".errorlist")?.remove();
    box.classList.toggle("wrong", Boolean(text));
    const id = `${input.id}_error`;
    const describedBy = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each !== id);
    if (text) {
      const list = make("ul", { className: "errorlist", id }, make("li", {}, text));
      list.dataset.checked = "";
      box.append(list);
      describedBy.push(id);
    }
    input.ariaInvalid = text ? "true" : null;
    input.setAttribute("aria-describedby", describedBy.join(" "));
  }

  // The same markup and title as the server's.
  function summary(form, wrong) {
    form.querySelector(".notice.refused:not([data-captcha-problem])")?.remove();
    const items = wrong.map((input) => {
      const label = form.querySelector(`label[for="${input.id}"]`).firstChild.textContent;
      const name = input.type === "checkbox" ? [] : [make("b", {}, label.trim()), " "];
      return make("li", {}, make("a", { href: `#${input.id}` }, ...name, make("bdi", {}, complaint(input))));
    });
    const heading = make("h2", {}, usual("mistakes", form));
    const notice = { className: "notice refused", role: "alert", tabIndex: -1 };
    const box = make("div", notice, heading, make("ul", {}, ...items));
    form.prepend(box);
    box.focus();
    const error = usual("error", form);
    if (!document.title.startsWith(error)) document.title = `${error} ${document.title}`;
  }

  // The attribute has no effect if the address has a fragment, such as the skip link's, which takes the focus.
  const errors = document.querySelector("[role=alert][autofocus]");
  window.addEventListener("load", () => document.activeElement.matches("body, main") && errors?.focus());

  for (const form of document.querySelectorAll("form[data-once]")) {
    const check = (event) => {
      const inputs = [...form.elements].filter((each) => each.id && each.localName !== "button");
      for (const input of inputs) mark(input, complaint(input));
      const wrong = inputs.filter(complaint);
      if (!wrong.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      summary(form, wrong);
    };
    form.addEventListener("submit", check, true); // Capture phase: before captcha.js calls Google.
    form.addEventListener("input", (event) => complaint(event.target) || mark(event.target, ""));
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = "yes";
      wait(form, true);
    });
    form.addEventListener("waiting", (event) => wait(form, event.detail)); // From captcha.js.
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      delete form.dataset.sent;
      wait(form, false);
    });
  }

  for (const field of document.querySelectorAll("[data-show]")) {
    const input = field.querySelector("input");
    const button = document.createElement("button");
    const box = document.createElement("div");
    const show = (on) => {
      input.type = on ? "text" : "password";
      button.setAttribute("aria-pressed", String(on));
    };
    button.type = "button";
    button.className = "show";
    button.textContent = field.dataset.show;
    button.setAttribute("aria-label", field.dataset.showName);
    button.addEventListener("click", () => show(input.type === "password"));
    // Hide the password before submitting, because browsers remember the values of text fields.
    input.form.addEventListener("submit", () => show(false));
    window.addEventListener("pagehide", () => show(false));
    box.className = "secret";
    input.replaceWith(box);
    box.append(input, button);
    input.autocapitalize = "none";
    input.spellcheck = false;
    show(false);
  }
})();
