// Live pages: told that something changed, load the page again and put its content in place. And clocks that run.
"use strict";

const content = document.getElementById("content");
let loading = false;
let again = false;

async function refresh() {
  if (loading) {
    again = true;
    return;
  }
  loading = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const brief = document.getElementById("brief")?.checked ?? false;
      const focused = document.activeElement?.id;
      put(page);
      document.title = page.title;
      const box = document.getElementById("brief");
      if (box) box.checked = brief;
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      tick();
    }
  } catch {
    // Not reachable just now: the stream reconnects by itself and tells us again.
  } finally {
    loading = false;
    if (again) {
      again = false;
      setTimeout(refresh, 200);
    }
  }
}

// A form that somebody has opened stays as it is; what stands around it is renewed.
function put(page) {
  const kept = document.getElementById("doing");
  const fresh = page.getElementById("doing");
  if (!kept?.querySelector("details[open]") || !fresh) {
    content.replaceChildren(...page.getElementById("content").childNodes);
    return;
  }
  const siblings = [...fresh.parentElement.childNodes];
  const place = siblings.indexOf(fresh);
  for (const old of [...kept.parentElement.childNodes]) {
    if (old !== kept) old.remove();
  }
  kept.before(...siblings.slice(0, place));
  kept.after(...siblings.slice(place + 1));
}

function span(milliseconds) {
  const whole = Math.round(milliseconds / 1000);
  for (const [unit, name, part, partName] of [[86400, "d", 3600, "h"], [3600, "h", 60, "min"], [60, "min", 1, "s"]]) {
    if (whole >= unit) {
      const rest = Math.floor((whole % unit) / part);
      return rest ? `${Math.floor(whole / unit)} ${name} ${rest} ${partName}` : `${Math.floor(whole / unit)} ${name}`;
    }
  }
  return `${whole} s`;
}

function tick() {
  const now = Date.now();
  for (const clock of content.querySelectorAll("[data-since]")) {
    clock.textContent = span(Math.max(now - Number(clock.dataset.since), 0));
  }
  for (const clock of content.querySelectorAll("[data-due]")) {
    const left = Number(clock.dataset.due) - now;
    clock.textContent = left > 0 ? `in ${span(left)}` : `${span(-left)} ago`;
    clock.classList.toggle("warn", left <= 0);
  }
}

if (content.dataset.live) {
  const news = new EventSource(content.dataset.live);
  news.addEventListener("entry", refresh);
  news.addEventListener("changed", refresh);
  // After a lost connection something may have changed that nobody could tell us.
  let opened = false;
  news.addEventListener("open", () => {
    if (opened) refresh();
    opened = true;
  });
}
tick();
setInterval(tick, 1000);
