// The timeline: where the bars lie, the playhead, zoom, and going from bar to bar with the arrows.
const length = Math.max(data.length_seconds, 0.001);
const share = (seconds) => Math.min(100, Math.max(0, (seconds / length) * 100));

function layBars() {
  for (const bar of all(".bar")) {
    const start = share(Number(bar.dataset.start)), end = share(Number(bar.dataset.end));
    const still = data.length_seconds === 0; // a picture has no time
    bar.style.left = `${still ? 0 : start}%`;
    bar.style.width = `${still ? 100 : end - start}%`;
  }
}

function layRuler() {
  const width = byId("ruler").clientWidth;
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((seconds) => (seconds / length) * width >= 64) ?? 3600;
  const ticks = [];
  for (let at = 0; at <= length && data.length_seconds; at += step) {
    const tick = document.createElement("span");
    tick.className = "tick";
    tick.style.left = `${share(at)}%`;
    tick.textContent = step < 1 ? timeText(at) : timeText(at).slice(0, -2);
    if (share(at) < 96) ticks.push(tick);
  }
  byId("ruler").replaceChildren(...ticks);
}

function setZoom(factor) {
  const timeline = byId("timeline");
  const middle = timeline.scrollLeft / timeline.scrollWidth;
  byId("lanes").style.width = `${factor * 100}%`;
  timeline.scrollLeft = middle * timeline.scrollWidth;
  layRuler();
}

function movePlayhead(seconds) {
  const timeline = byId("timeline");
  if (!timeline) return;
  byId("playhead").style.left = `${share(seconds)}%`;
  if (timeline.scrollWidth <= timeline.clientWidth) return;
  const x = byId("playhead").offsetLeft;
  if (x < timeline.scrollLeft || x > timeline.scrollLeft + timeline.clientWidth * 0.8) {
    timeline.scrollLeft = x - timeline.clientWidth * 0.2;
  }
}

function makeLanesReachable() {
  for (const lane of all(".lane[role=group]")) {
    const bars = all(".bar", lane).sort((one, other) => one.dataset.start - other.dataset.start);
    if (bars.length) bars[0].tabIndex = 0; // one stop for Tab in every lane
    lane.addEventListener("keydown", (event) => {
      const at = bars.indexOf(event.target);
      const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -at, End: bars.length - 1 - at };
      if (at < 0 || !(event.key in steps)) return;
      event.preventDefault();
      event.stopPropagation();
      const next = bars[Math.min(bars.length - 1, Math.max(0, at + steps[event.key]))];
      bars[at].tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }
  for (const fold of all(".fold")) {
    fold.addEventListener("click", () => {
      const dense = fold.closest(".lane").classList.toggle("dense");
      fold.setAttribute("aria-expanded", String(!dense));
    });
  }
}

function seekWhereClicked() {
  for (const track of all(".track")) {
    track.addEventListener("click", (event) => {
      if (event.target.closest(".bar")) return;
      const edges = track.getBoundingClientRect();
      clock.seek(((event.clientX - edges.left) / edges.width) * data.length_seconds);
    });
  }
}
