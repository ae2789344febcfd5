// Says what is missing before a form is sent, sends it once, however often its button is pressed, and lets
// visitors see the password they type.
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

  // What is missing in a field, or too short, in the page's words; the server looks at everything else too.
  function complaint(input) {
    const words = input.closest(".field")?.dataset ?? {};
    const blank = input.required && input.type !== "password" && !input.value.trim();
    if (blank || input.validity.valueMissing) return words.required ?? "";
    // Not validity.tooShort: what a password manager filled in would never be that.
    const short = input.minLength > 0 && input.value && [...input.value].length < input.minLength;
    return short ? (words.minimum ?? "") : "";
  }

  function mark(input, text) {
    const box = input.closest(".field");
    if (!text && !box?.querySelector("[data-checked]")) return;
    box.querySelector(".errorlist")?.remove();
    box.classList.toggle("wrong", Boolean(text));
    const told = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && !id.endsWith("_error"));
    if (text) {
      const list = document.createElement("ul");
      const item = document.createElement("li");
      list.className = "errorlist";
      list.id = `${input.id}_error`;
      list.dataset.checked = "";
      item.textContent = text;
      list.append(item);
      box.append(list);
      told.push(list.id);
      input.setAttribute("aria-invalid", "true");
    } else {
      input.removeAttribute("aria-invalid");
    }
    input.setAttribute("aria-describedby", told.join(" "));
  }

  // The same summary above the form as the server makes, with a link into each field.
  function summary(form, wrong) {
    for (const old of form.querySelectorAll(".notice.refused[role=alert]:not([data-captcha-problem])")) old.remove();
    const box = document.createElement("div");
    const title = document.createElement("h2");
    const list = document.createElement("ul");
    box.className = "notice refused";
    box.setAttribute("role", "alert");
    title.textContent = form.querySelector("[data-mistakes]")?.dataset.mistakes ?? "";
    for (const input of wrong) {
      const link = document.createElement("a");
      const text = document.createElement("bdi");
      link.href = `#${input.id}`;
      text.textContent = complaint(input);
      if (input.type !== "checkbox") {
        const name = document.createElement("b");
        name.textContent = form.querySelector(`label[for="${input.id}"]`)?.firstChild.textContent.trim() ?? "";
        link.append(name, " ");
      }
      link.append(text);
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    box.append(title, list);
    form.prepend(box);
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
    form.addEventListener("submit", check, true); // Before anybody asks Google.
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
