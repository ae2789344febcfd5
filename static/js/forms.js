// Reports missing fields before a form is sent, prevents double submits, and can show passwords.
// Forms work without this script too; the server also prevents double submits.
(() => {
  "use strict";

  function wait(form, on) {
    const button = form.querySelector("button.main");
    const said = form.querySelector("[data-waiting]");
    if (on) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
    if (said) said.textContent = on ? said.dataset.waiting : "";
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

  const usual = (name, form) => form.querySelector("[data-mistakes]").dataset[name];

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

  // The same markup as the server's error summary.
  function summary(form, wrong) {
    form.querySelector(".notice.refused:not([data-captcha-problem])")?.remove();
    const items = wrong.map((input) => {
      const label = form.querySelector(`label[for="${input.id}"]`).firstChild.textContent;
      const name = input.type === "checkbox" ? [] : [make("b", {}, label.trim()), " "];
      return make("li", {}, make("a", { href: `#${input.id}` }, ...name, make("bdi", {}, complaint(input))));
    });
    const title = make("h2", {}, usual("mistakes", form));
    form.prepend(make("div", { className: "notice refused", role: "alert" }, title, make("ul", {}, ...items)));
  }

  for (const form of document.querySelectorAll("form[data-once]")) {
    const check = (event) => {
      const inputs = [...form.elements].filter((each) => each.id && each.localName !== "button");
      for (const input of inputs) mark(input, complaint(input));
      const wrong = inputs.filter(complaint);
      if (!wrong.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      summary(form, wrong);
      wrong[0].focus();
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
