// Wire everything up: buttons, keys, and what follows the time.
function togglePlay() { clock.playing ? clock.pause() : clock.play(); }
function setMute(on) {
  clock.muted = on;
  byId("mute").setAttribute("aria-pressed", String(on));
}
function toggleGrey() {
  const on = stage.classList.toggle("grey");
  byId("grey").setAttribute("aria-pressed", String(on));
}
const isOn = (id) => byId(id)?.getAttribute("aria-pressed") === "true";
const seekBy = (seconds) => clock.seek(Math.min(data.length_seconds, Math.max(0, clock.seconds + seconds)));

function step(by) { // to the next finding that is shown
  const shown = data.findings.map((_, number) => number)
    .filter((number) => number === current || !document.querySelector(`.finding[data-finding="${number}"]`).hidden);
  const at = shown.indexOf(current);
  select(at < 0 ? shown[by > 0 ? 0 : shown.length - 1] : shown[at + by] ?? current);
}

const keys = {
  j: () => step(1),
  k: () => step(-1),
  a: () => decide(current, "accept"),
  r: () => decide(current, "reject"),
  n: () => document.querySelector(`[data-note="${current}"]`)?.focus(),
  b: () => setBlur(!blurs),
  m: () => stage && setMute(!isOn("mute")),
  g: () => stage && toggleGrey(),
  e: openExport,
  "?": () => byId("help").showModal(),
  " ": () => stage && togglePlay(),
  ",": () => seekBy(-1 / data.frame_rate),
  ".": () => seekBy(1 / data.frame_rate),
  ArrowLeft: (event) => seekBy(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => seekBy(event.shiftKey ? 10 : 1),
};

function onKey(event) {
  if (event.target.matches("textarea")) {
    if (event.key === "Escape") document.querySelector(`.finding[data-finding="${current}"] .finding-head`).focus();
    return;
  }
  const writes = event.target.matches("input:not([type=range]):not([type=checkbox]), select");
  if (writes || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (!byId("keys-on").checked) return;
  if (event.key.startsWith("Arrow") && event.target.matches("input")) return;
  if (event.key === " " && event.target.matches("button, summary, a") && event.target.id !== "play") return;
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action(event);
}

function wireStage() {
  buildKinds();
  byId("play").addEventListener("click", togglePlay);
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("speed").addEventListener("change", (event) => { clock.speed = Number(event.target.value); });
  byId("seek").addEventListener("input", (event) => clock.seek(Number(event.target.value)));
  byId("blur").addEventListener("click", () => setBlur(!blurs));
  byId("unveil").addEventListener("click", () => { setBlur(false); byId("blur").focus(); });
  byId("mute").addEventListener("click", () => setMute(!isOn("mute")));
  byId("grey").addEventListener("click", toggleGrey);
  byId("seek").max = String(data.length_seconds);
  byId("length").textContent = timeText(data.length_seconds);
  for (const part of all(".transport, #mute")) part.hidden = data.kind === "image";
  for (const part of all("#blur, #grey, .divide, #boxes-label, #kinds")) part.hidden = !data.width;
  onTime(showVeil);
  onTime(showBoxes);
  onTime(showStill);
  onTime((seconds) => {
    byId("now").textContent = timeText(seconds);
    byId("seek").value = String(seconds);
    byId("seek").setAttribute("aria-valuetext", timeText(seconds));
    byId("play").classList.toggle("playing", clock.playing);
    byId("play").setAttribute("aria-label", clock.playing ? "Pause" : "Play");
  });
}

function wireWords() {
  const lines = all(".line").map((item) => ({ item, start: Number(item.dataset.start), end: Number(item.dataset.end) }));
  let shown = -1;
  onTime((seconds) => { // four times a second is enough to read along
    if (Math.floor(seconds * 4) === shown) return;
    shown = Math.floor(seconds * 4);
    for (const { item, start, end } of lines) item.classList.toggle("now", seconds >= start && seconds < end);
  });
  const filter = () => {
    const wanted = byId("find").value.trim().toLowerCase(), origin = byId("origin").value;
    for (const { item } of lines) {
      const kind = origin === "toxic" ? item.querySelector("mark") : !origin || item.dataset.origin === origin;
      item.hidden = !kind || !item.querySelector("p").textContent.toLowerCase().includes(wanted);
    }
  };
  byId("find")?.addEventListener("input", filter);
  byId("origin")?.addEventListener("change", filter);
}

function wireFindings() {
  for (const image of all("img[data-still-at]")) {
    const at = Number(image.dataset.stillAt), still = nearestStill(at);
    if (still && Math.abs(still.seconds - at) < 1) {
      image.src = still.src;
      image.hidden = false;
    }
    image.closest(".thumb").hidden = image.hidden;
  }
  for (const head of all(".finding-head")) head.addEventListener("click", () => select(Number(head.dataset.finding)));
  for (const button of all("[data-decide]")) {
    button.addEventListener("click", () => decide(Number(button.closest(".finding").dataset.finding), button.dataset.decide));
  }
  for (const area of all("[data-note]")) {
    area.addEventListener("input", () => { decisions[Number(area.dataset.note)].note = area.value; save(); });
  }
  byId("filter").addEventListener("change", filterFindings);
  decisions.forEach((_, number) => showDecision(number));
}

function wireJumps() {
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-seek]");
    if (!target) return;
    if (target.dataset.finding !== undefined) select(Number(target.dataset.finding));
    else if (stage) clock.seek(Number(target.dataset.seek));
  });
  for (const button of all("[data-veil-at]")) {
    button.classList.toggle("veiled-thumb", isVeiled(Number(button.dataset.veilAt)));
  }
}

function wireTheme() {
  const set = (theme) => { document.documentElement.dataset.theme = theme; };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  set(kept.get("reelwarden.theme") ?? (dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    set(theme);
    kept.set("reelwarden.theme", theme);
  });
}

wireTheme();
loadDecisions();
wireFindings();
wireWords();
wireJumps();
if (stage) wireStage();
if (byId("timeline")) {
  makeLanesReachable();
  seekWhereClicked();
  layBars();
  layRuler();
  onTime(movePlayhead);
  byId("zoom").addEventListener("input", (event) => setZoom(Number(event.target.value)));
  addEventListener("resize", layRuler);
}
openMedia();
setBlur(true);
showProgress();
if (stage) clock.seek(0);
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("export-open").addEventListener("click", openExport);
byId("export").addEventListener("close", () => { if (byId("export").returnValue === "save") saveFile(); });
document.addEventListener("keydown", onKey);
