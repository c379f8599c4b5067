"use strict";
// Only in a served page: loads it anew once it has changed, where its reader was, and with what they have filled in.
(() => {
  const version = "/*VERSION*/", kept = "qsense-kept", every = 2000;
  const badge = document.createElement("div");
  badge.id = "live";
  badge.setAttribute("role", "status");
  badge.style.cssText = "position:fixed;right:.6rem;bottom:.5rem;padding:.1rem .6rem;border-radius:99px;font:12px system-ui;background:#00795a;color:#fff;z-index:20";
  badge.textContent = "live";
  document.body.append(badge);

  // Fields and folds by what names them on the page, since a new page has new ones.
  const fields = () => new Map([...document.querySelectorAll("input, select, details")].map((each) => {
    const label = each.labels?.[0] ?? each.querySelector("summary");
    return [[each.tagName, each.id || each.closest("[id]")?.id, label?.textContent.replace(/ \(\d+\)$/, "")].join("/"), each];
  }));
  const stateOf = (each) => each.tagName === "DETAILS" ? each.open : each.type === "checkbox" || each.type === "radio" ? each.checked : each.tagName === "SELECT" ? each.selectedOptions[0]?.textContent : each.value;

  function keep() {
    const states = [...fields()].map(([name, each]) => [name, stateOf(each)]);
    const theme = document.documentElement.dataset.theme, focus = document.activeElement?.id;
    try { sessionStorage.setItem(kept, JSON.stringify({ states, theme, focus, at: [scrollX, scrollY] })); } catch { /* no storage */ }
  }

  function restore() {
    let old = null;
    try { old = JSON.parse(sessionStorage.getItem(kept)); sessionStorage.removeItem(kept); } catch { /* none */ }
    if (!old) return;
    const tell = (each, ...events) => events.forEach((name) => each.dispatchEvent(new Event(name, { bubbles: true })));
    for (let i = 0; i < 2 && old.theme && document.documentElement.dataset.theme !== old.theme; i++) document.getElementById("theme")?.click();
    for (const [name, state] of old.states) {
      const each = fields().get(name); // sought anew: what was restored before may have drawn it anew
      if (!each || stateOf(each) === state) continue;
      if (each.tagName === "DETAILS") each.open = state;
      else if (typeof state === "boolean") each.click();
      else if (each.tagName === "SELECT") {
        const option = [...each.options].find((one) => one.textContent === state);
        if (option) { each.value = option.value; tell(each, "input", "change"); }
      } else { each.value = state; tell(each, "input", "change"); }
    }
    document.getElementById(old.focus)?.focus({ preventScroll: true });
    scrollTo(...old.at);
  }

  let typed = 0;
  addEventListener("input", () => { typed = Date.now(); });
  const busy = () => Date.now() - typed < 1500 || String(getSelection()).length > 0; // who types or copies is not disturbed

  async function look() {
    try {
      const now = await (await fetch("/version", { cache: "no-store" })).text();
      badge.textContent = "live";
      badge.style.background = "#00795a";
      if (now !== version && !busy()) { keep(); location.reload(); return; }
    } catch {
      badge.textContent = "the server has ended";
      badge.style.background = "#b8480a";
    }
    setTimeout(look, every);
  }
  history.scrollRestoration = "manual";
  restore();
  setTimeout(look, every);
})();
