/* The admin signs users out after 15 idle minutes. This script reports typing in a form as activity, at most
   once in two minutes. */
"use strict";

const stillHere = document.currentScript?.dataset.stillHere;
const EACH = 2 * 60 * 1000;
let lastSent = Date.now();

addEventListener("input", () => {
  if (Date.now() - lastSent < EACH) return;
  lastSent = Date.now();
  fetch(stillHere, { credentials: "same-origin", redirect: "manual" }).catch(() => {});
});
