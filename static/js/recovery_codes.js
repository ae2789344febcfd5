/* Buttons to print or copy all recovery codes. Without this script users select and copy them by hand. */
"use strict";

const tools = document.querySelector(".staff-tools");
const listed = () => [...document.querySelectorAll("[data-codes] li")].map((item) => item.textContent).join("\n");

tools.hidden = false;
tools.querySelector("[data-print]").addEventListener("click", () => print());
tools.querySelector("[data-copy]").addEventListener("click", async () => {
  const said = tools.querySelector("[data-copied]");
  await navigator.clipboard.writeText(listed());
  said.textContent = said.dataset.copied;
});
