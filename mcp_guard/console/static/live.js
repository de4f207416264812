// Loads the page again once something was recorded, unless somebody is in the middle of something. Without this file
// the page asks for itself every 15 seconds.
"use strict";

const EVERY = 2000; // milliseconds

let known = null;
const busy = () => document.hidden || document.activeElement?.closest("form, details") || getSelection()?.toString();

async function look() {
  try {
    const answer = await fetch("/moment", { cache: "no-store", redirect: "error" });
    if (answer.status === 403) return; // not let in any more: no use in asking again
    const moment = answer.ok ? await answer.text() : known;
    if (known !== null && moment !== known && !busy()) {
      location.reload();
      return;
    }
    known ??= moment;
  } catch {
    // the console has ended, or begins again: asked again all the same
  }
  setTimeout(look, EVERY);
}

look();
