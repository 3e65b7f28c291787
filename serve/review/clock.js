// What runs with time: the media itself where the browser plays it, else a clock over pictures. Both look the same.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const kept = { // what a reload must not lose; private windows have no storage
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* nothing to do */ } },
};

function timeText(seconds) {
  const tenths = Math.round(seconds * 10);
  const minutes = Math.floor(tenths / 600), rest = tenths % 600;
  const tail = `${String(Math.floor(rest / 10)).padStart(2, "0")}.${rest % 10}`;
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

const listeners = []; // called with the seconds whenever they change
const onTime = (listener) => listeners.push(listener);

function mediaClock(video) {
  let frame = 0;
  const tick = () => {
    listeners.forEach((listener) => listener(clock.seconds));
    if (!video.paused) frame = requestAnimationFrame(tick);
  };
  const clock = {
    get seconds() { return video.currentTime; },
    get playing() { return !video.paused && !video.ended; },
    set speed(rate) { video.playbackRate = rate; },
    set muted(on) { video.muted = on; },
    seek(seconds) { // the veil falls before the picture changes
      listeners.forEach((listener) => listener(seconds));
      video.currentTime = seconds;
    },
    play() { video.play().catch(() => {}); },
    pause() { video.pause(); },
  };
  for (const name of ["play", "pause", "seeked", "ended", "loadedmetadata"]) {
    video.addEventListener(name, () => { cancelAnimationFrame(frame); tick(); });
  }
  return clock;
}

function pictureClock() {
  let seconds = 0, playing = false, rate = 1, last = 0;
  const tell = () => listeners.forEach((listener) => listener(seconds));
  const step = (now) => {
    if (!playing) return;
    seconds = Math.min(data.length_seconds, seconds + ((now - last) / 1000) * rate);
    last = now;
    playing = seconds < data.length_seconds;
    tell();
    requestAnimationFrame(step);
  };
  return {
    get seconds() { return seconds; },
    get playing() { return playing; },
    set speed(value) { rate = value; },
    set muted(_) { /* pictures are silent */ },
    seek(value) { seconds = value; tell(); },
    play() {
      if (seconds >= data.length_seconds) seconds = 0;
      playing = true;
      last = performance.now();
      requestAnimationFrame(step);
    },
    pause() { playing = false; tell(); },
  };
}
