// Keys are for the terminal as soon as it is connected, and again when the page comes back: nobody should have to click.
"use strict";
window.addEventListener("DOMContentLoaded", () => {
  const terminal = document.getElementById("terminal");
  const focus = () => {
    const input = document.querySelector(".xterm-helper-textarea");
    const connected = terminal.classList.contains("-connected") && !document.body.classList.contains("-closed");
    if (input && connected) input.focus();
  };
  new MutationObserver(focus).observe(terminal, { attributeFilter: ["class"] });
  window.addEventListener("focus", focus);
});
