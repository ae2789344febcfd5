// Sends a form once, however often its button is pressed, and lets visitors see the password they type.
// Without this every form works as well; the server itself keeps the promise of sending once.
(() => {
  "use strict";

  function wait(form, on) {
    const button = form.querySelector("button.main");
    const said = form.querySelector("[data-waiting]");
    if (on) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
    if (said) said.textContent = on ? said.dataset.waiting : "";
  }

  for (const form of document.querySelectorAll("form[data-once]")) {
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
    // Hidden again before it is sent: browsers remember what was typed into a text field.
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
