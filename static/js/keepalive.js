/* In the admin whoever is idle for 15 minutes is signed out. Typing is not idle: while somebody types into a
   form, the portal is told so, at most once in two minutes. */
"use strict";

const stillHere = document.currentScript?.dataset.stillHere;
const EACH = 2 * 60 * 1000;
let told = Date.now();

addEventListener("input", () => {
  if (Date.now() - told < EACH) return;
  told = Date.now();
  fetch(stillHere, { credentials: "same-origin", redirect: "manual" }).catch(() => {});
});
