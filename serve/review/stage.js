// The picture: which one, hidden or not, and the boxes over it.
const stage = byId("stage");
let clock = pictureClock(), usesStills = true;

const ready = () => document.body.classList.add("ready"); // for who drives the page from outside

function useStills(why) {
  const at = clock.seconds;
  usesStills = true;
  clock = pictureClock();
  byId("video").hidden = true;
  byId("still").hidden = data.stills.length === 0;
  byId("nothing").hidden = data.stills.length > 0;
  byId("nothing").textContent = why;
  clock.seek(at);
  ready();
}

function openMedia() {
  if (!stage) return ready();
  const video = byId("video");
  if (data.width && data.height) {
    stage.style.aspectRatio = `${data.width} / ${data.height}`;
    stage.style.maxWidth = `${(54 * data.width) / data.height}vh`;
  } else {
    stage.style.aspectRatio = "16 / 3";
    byId("nothing").hidden = false;
    byId("nothing").textContent = "Sound without a picture";
  }
  if (!data.url) return useStills("The browser does not play this file, and there are no pictures of it.");
  usesStills = false;
  video.hidden = !data.width;
  clock = mediaClock(video);
  video.addEventListener("loadedmetadata", ready);
  video.addEventListener("error", () => useStills("The media is not where the page looks for it, or cannot be played."));
  video.src = data.url;
}

function nearestStill(seconds) {
  let best = null;
  for (const still of data.stills) {
    if (!best || Math.abs(still.seconds - seconds) < Math.abs(best.seconds - seconds)) best = still;
  }
  return best;
}

// --- hidden or not
let blurs = true;
const isVeiled = (seconds) => data.veiled.some(([start, end]) => seconds >= start && seconds <= end);

function showVeil(seconds) {
  stage.classList.toggle("veiled", blurs && data.width > 0 && isVeiled(seconds));
  const here = data.findings.filter((item) => seconds >= item.start_seconds && seconds <= item.end_seconds);
  const names = [...new Set(here.map((item) => item.title))];
  byId("veil-what").textContent = names.length ? names.join(", ") : "Close to something flagged";
}

function setBlur(on) {
  blurs = on;
  document.body.classList.toggle("veils", on);
  byId("blur")?.setAttribute("aria-pressed", String(on));
  if (stage) showVeil(clock.seconds);
}

// --- boxes
const hiddenKinds = new Set(kept.get("reelwarden.boxes.off")?.split(",") ?? []);

function buildKinds() {
  const kinds = [...new Set(data.overlays.map((overlay) => overlay.domain))];
  if (!kinds.length) byId("boxes-label").hidden = true;
  for (const kind of kinds) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `switch ${kind}`;
    button.textContent = kind;
    button.setAttribute("aria-pressed", String(!hiddenKinds.has(kind)));
    button.addEventListener("click", () => {
      hiddenKinds.has(kind) ? hiddenKinds.delete(kind) : hiddenKinds.add(kind);
      kept.set("reelwarden.boxes.off", [...hiddenKinds].join(","));
      button.setAttribute("aria-pressed", String(!hiddenKinds.has(kind)));
      showBoxes(clock.seconds);
    });
    byId("kinds").append(button);
  }
}

// Where a thing is at a time: between two samples on the straight line, else where the nearest sample has it. A track
// ends at a cut, and so does its box; in a picture there is no time.
function placeAt({ places, start_seconds, end_seconds, sample_seconds }, seconds) {
  if (data.kind !== "image" && (seconds < start_seconds || seconds >= end_seconds)) return null;
  let after = places.findIndex((place) => place[0] > seconds);
  if (after < 0) after = places.length;
  const before = places[after - 1], next = places[after];
  if (before && next && next[0] - before[0] <= sample_seconds * 2.5) {
    const share = (seconds - before[0]) / (next[0] - before[0]);
    return before.map((value, index) => value + (next[index] - value) * share);
  }
  if (before && seconds - before[0] <= sample_seconds) return before;
  return next && next[0] - seconds <= sample_seconds ? next : null;
}

function showBoxes(seconds) {
  const boxes = [];
  for (const overlay of data.overlays) {
    const place = hiddenKinds.has(overlay.domain) ? null : placeAt(overlay, seconds);
    if (!place) continue;
    const [, x1, y1, x2, y2] = place;
    const box = document.createElement("div"), name = document.createElement("span");
    box.className = `box ${overlay.domain}${y1 < 0.06 ? " high" : ""}`;
    box.style.left = `${x1 * 100}%`;
    box.style.top = `${y1 * 100}%`;
    box.style.width = `${(x2 - x1) * 100}%`;
    box.style.height = `${(y2 - y1) * 100}%`;
    name.textContent = overlay.label;
    box.append(name);
    boxes.push(box);
  }
  byId("boxes").replaceChildren(...boxes);
}

function showStill(seconds) {
  const still = usesStills && nearestStill(seconds);
  if (still && byId("still").src !== still.src) byId("still").src = still.src;
}
